"""A plan that somebody reviewed, kept as a file, and applied as it is or not at all.

What Pulumi would do is its own update plan, which it also enforces, secrets encrypted. But it finds a difference only
when it comes to it, with half of the update done. So a plan is made anew before anything is touched and compared with
the one that was reviewed; and so is what `up` would mend on the engine, of which Pulumi knows nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.deployments.revision import Revision
from ops.errors import OpsError

# How Pulumi marks a secret in JSON (sdk/go/common/resource/sig: the key of every signature, and that of a secret).
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Reviewed:
    """What was reviewed: `mends` are the words for what is put right on the engine, `updates` is Pulumi's plan."""

    stack: str
    revision: Revision
    mends: tuple[str, ...]
    updates: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Keep it at `path`."""
        noted = {
            "stack": self.stack,
            "revision": self.revision.commit,
            "changed": self.revision.changed,
            "mends": list(self.mends),
            "updates": self.updates,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(noted, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Reviewed":
        """The plan at `path`. Raises OpsError (exit code 2) where there is none."""
        try:
            noted = json.loads(path.read_text())
            revision = Revision(noted["revision"], noted["changed"])
            return cls(noted["stack"], revision, tuple(noted["mends"]), noted["updates"])
        except FileNotFoundError:
            problem = "there is no such file"
        except (ValueError, KeyError, TypeError):
            problem = "it was not written by `ops preview --save-plan`"
        raise OpsError(f"--plan {path}: {problem}; make one with: ops preview --save-plan {path}", code=2)


def check(reviewed: Reviewed, now: Reviewed) -> None:
    """Raise OpsError (exit code 4) with all in which the stack, as it is `now`, is another than was reviewed."""
    found = list(differences(reviewed, now))
    if found:
        raise OpsError(
            f"the plan for stack {reviewed.stack} is stale, and nothing was touched:\n  "
            + "\n  ".join(found)
            + f"\nReview a new one: ops preview --stack {now.stack} --save-plan FILE",
            code=4,
        )


def differences(reviewed: Reviewed, now: Reviewed) -> Iterator[str]:
    """In words, without any value, as it may be a secret's."""
    if reviewed.stack != now.stack:
        yield f"it was made for stack {reviewed.stack}, and this is {now.stack}"
        return
    if reviewed.revision != now.revision:
        yield f"it was made from {reviewed.revision}, and this tree is {now.revision}"
    yield from (f"no longer so: {words}" for words in reviewed.mends if words not in now.mends)
    yield from (f"new since: {words}" for words in now.mends if words not in reviewed.mends)
    before, after = reviewed.updates.get("config") or {}, now.updates.get("config") or {}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key} has another value"
    before, after = reviewed.updates["resourcePlans"], now.updates["resourcePlans"]
    for urn in sorted(before.keys() | after.keys()):
        was, is_ = _steps(before.get(urn)), _steps(after.get(urn))
        if was != is_:
            yield f"{_name(urn)}: {_spoken(was)} was reviewed, {_spoken(is_)} is due"
        elif _essence(before[urn]) != _essence(after[urn]):
            yield f"{_name(urn)}: {_spoken(is_)}, but with other values"


def _steps(planned: Mapping[str, Any] | None) -> Sequence[str]:
    return planned["steps"] if planned else ["nothing"]


def _spoken(steps: Sequence[str]) -> str:
    if "replace" in steps:
        return "replacement"
    return ", ".join("no change" if step == "same" else step for step in steps)


def _name(urn: str) -> str:
    kind, name = urn.split("::")[-2:]
    return f"{kind.rsplit(':', 1)[-1]} {name}"


def _essence(planned: Mapping[str, Any]) -> Any:
    """What is to be done to a resource; Pulumi encrypts a secret each time anew, so that it cannot be compared."""
    goal = planned.get("goal") or {}
    return _without_secrets([goal.get("inputDiff"), goal.get("outputDiff"), goal.get("protect")])


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return "a secret"
        return {key: _without_secrets(part) for key, part in value.items()}
    return [_without_secrets(part) for part in value] if isinstance(value, list) else value
