"""One check and its result, and asking a service over HTTP."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import httpx

# Seconds for an answer of a service.
_TIMEOUT = 5


@dataclass(frozen=True)
class Check:
    """What was checked, how it ended, and the detail that a person needs (on success: the figure that was seen).

    `waits` tells whether a failed one may pass by itself in a while.
    """

    name: str
    result: Literal["pass", "fail", "skip"]
    detail: str
    waits: bool = True

    @staticmethod
    def of(name: str, passed: bool, detail: object = "") -> "Check":
        """A check that passed or failed."""
        return Check(name, "pass" if passed else "fail", str(detail))

    @staticmethod
    def fail(name: str, detail: str) -> "Check":
        """A check that failed."""
        return Check(name, "fail", detail)

    @staticmethod
    def final(name: str, detail: str) -> "Check":
        """A check that failed, and will however long one waits."""
        return Check(name, "fail", detail, waits=False)

    @staticmethod
    def skip(name: str, reason: str) -> "Check":
        """A check that does not apply, and why."""
        return Check(name, "skip", reason)


@cache
def _client() -> httpx.Client:
    """One for all checks: to make one reads every certificate authority, which takes longer than the answer."""
    return httpx.Client(timeout=_TIMEOUT)


def get(url: str, auth: tuple[str, str] | None = None, **params: str) -> httpx.Response:
    """The answer to a GET of `url`; raises httpx.HTTPError where there is none or where it is an error."""
    response = _client().get(url, params=params or None, auth=auth)
    response.raise_for_status()
    return response


def answers(name: str, url: str, auth: tuple[str, str] | None = None) -> Check:
    """Whether `url` answers with success."""
    try:
        get(url, auth)
    except httpx.HTTPError as error:
        return Check.fail(name, f"{url}: {error}")
    return Check.of(name, True, url)


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    """The result of an instant query at the Prometheus server at that address."""
    data: list[dict[str, Any]] = get(f"{prometheus}/api/v1/query", query=expression).json()["data"]["result"]
    return data
