"""One check and its result, and asking a service over HTTP."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypedDict, Unpack

import httpx

Result = Literal["pass", "warn", "fail", "skip"]

# Seconds for an answer of a service.
_TIMEOUT = 5


class More(TypedDict, total=False):
    """What a check that failed says beyond what it found: see Check."""

    expected: str
    hint: str
    about: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """What was checked, how it ended, and what a person needs to know of it.

    name      what was checked
    result    `warn` is for what is not as it should be and stops nothing; `skip` is for what was not checked
    detail    what was found; of one that was skipped, why
    waits     whether a failed one may pass by itself in a while
    expected  what should have been found; only of one that did not pass
    hint      what to do about it; only of one that did not pass
    about     what it speaks of, such as a service; while it fails, nothing is said of what needs that
    needs     what it cannot be judged without: see ops.validation.causes
    """

    name: str
    result: Result
    detail: str
    waits: bool = True
    expected: str = ""
    hint: str = ""
    about: str = ""
    needs: tuple[str, ...] = ()

    @staticmethod
    def of(name: str, passed: bool, detail: object = "", **more: Unpack[More]) -> "Check":
        """A check that passed or failed; what is in `more` is kept only where it failed."""
        return Check.fail(name, str(detail), **more) if not passed else Check(name, "pass", str(detail))

    @staticmethod
    def fail(name: str, detail: str, *, waits: bool = True, **more: Unpack[More]) -> "Check":
        """A check that failed."""
        return Check(name, "fail", detail, waits, **more)

    @staticmethod
    def warn(name: str, detail: str, *, expected: str = "", hint: str = "") -> "Check":
        """A check that found what is not as it should be, and stops nothing."""
        return Check(name, "warn", detail, expected=expected, hint=hint)

    @staticmethod
    def skip(name: str, reason: str) -> "Check":
        """A check that does not apply, and why."""
        return Check(name, "skip", reason)

    def as_dict(self) -> dict[str, str]:
        """The check as JSON has it; `expected` and `hint` are there where it did not pass."""
        found = {"name": self.name, "result": self.result, "detail": self.detail}
        further = {"expected": self.expected, "hint": self.hint}
        return found | {key: value for key, value in further.items() if value}


@cache
def _client() -> httpx.Client:
    """One for all checks: to make one reads every certificate authority, which takes longer than the answer."""
    return httpx.Client(timeout=_TIMEOUT)


def get(url: str, auth: tuple[str, str] | None = None, **params: str) -> httpx.Response:
    """The answer to a GET of `url`; raises httpx.HTTPError where there is none or where it is an error."""
    response = _client().get(url, params=params or None, auth=auth)
    response.raise_for_status()
    return response


def answers(name: str, url: str, auth: tuple[str, str] | None = None, **more: Unpack[More]) -> Check:
    """Whether `url` answers with success; what is in `more` is kept only where it does not."""
    try:
        get(url, auth)
    except httpx.HTTPError as error:
        return Check.fail(name, f"{url}: {error}", **more)
    return Check.of(name, True, url)


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    """The result of an instant query at the Prometheus server at that address."""
    data: list[dict[str, Any]] = get(f"{prometheus}/api/v1/query", query=expression).json()["data"]["result"]
    return data
