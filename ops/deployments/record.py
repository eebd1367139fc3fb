"""The deployments of a stack, as Pulumi's own history has them, with what `ops` adds to each.

Pulumi notes the settings, the time and the result of each update, in every kind of backend. `ops` adds, as the message
of the update, which program that was; and, as a tag of the stack, whether it passed the validation, which is only known
later.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from config.keys import secret_keys
from config.project import PROJECT
from config.settings import Settings
from images.catalogue import tags
from ops.deployments.revision import Revision, revision
from ops.errors import OpsError
from ops.stack.backend import Backend

PASSED = "passed"
"""What the validation of a deployment is called that had no fault."""

_TAG = "validation:"
_PREFIX = f"{PROJECT}:"


@dataclass(frozen=True)
class Program:
    """What an update was made with: `id` tells it from others of the stack.

    `images` is key of config/images.yaml -> tag. `overrides` are the values of --config, `withheld` the keys of those
    that are secret, whose values are not noted.
    """

    id: str
    revision: Revision
    images: Mapping[str, str]
    overrides: Mapping[str, str]
    withheld: frozenset[str]

    @property
    def message(self) -> str:
        """As it is noted with the update."""
        return json.dumps(
            {
                "id": self.id,
                "revision": self.revision.commit,
                "changed": self.revision.changed,
                "images": dict(self.images),
                "overrides": dict(self.overrides),
                "withheld": sorted(self.withheld),
            }
        )


@dataclass(frozen=True)
class Deployment:
    """One update of a stack, or (`kind`) what else was done to it: update, refresh, destroy …

    `began` is in UTC. `result` is Pulumi's: succeeded, failed or in-progress. `validation` is PASSED, what failed, or
    empty where nobody looked. `program` is None where `ops` did not make it. `settings` is key -> text, without the
    secrets where those were not asked for.
    """

    kind: str
    began: datetime
    result: str
    validation: str
    program: Program | None
    settings: Mapping[str, str]
    secrets: frozenset[str]

    @property
    def validated(self) -> bool:
        """Whether it came up and had no fault."""
        return self.result == "succeeded" and self.validation == PASSED

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the values of secrets are left out, whether they are known or not."""
        program = self.program
        return {
            "kind": self.kind,
            "began": self.began.isoformat(),
            "result": self.result,
            "validation": self.validation,
            "program": json.loads(program.message) if program else None,
            "settings": {key: value for key, value in self.settings.items() if key not in self.secrets},
            "secrets": sorted(self.secrets),
        }

    def same_as(self, other: "Deployment") -> bool:
        """Whether both were made with the same program and the same settings."""
        if not self.program or not other.program:
            return False
        mine, theirs = (
            (made.program.revision, made.program.overrides, made.program.withheld, made.settings)
            for made in (self, other)
            if made.program
        )
        return mine == theirs and not self.program.revision.changed


def this_program(settings: Settings, overrides: Mapping[str, str]) -> Program:
    """What an update that starts now is made with."""
    withheld = secret_keys() & set(overrides)
    return Program(
        datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"),
        revision(),
        tags(settings),
        {key: value for key, value in overrides.items() if key not in withheld},
        frozenset(withheld),
    )


def note_validation(backend: Backend, stack: str, program: Program, result: str) -> None:
    """Note how the validation of an update ended: PASSED, or what failed."""
    backend.ask(stack, "stack", "tag", "set", _TAG + program.id, result)


def history(backend: Backend, stack: str, *, show_secrets: bool = False) -> list[Deployment]:
    """Every deployment of the stack, the newest first. Raises OpsError where there is no such stack."""
    options = ["--show-secrets"] if show_secrets else []
    entries = json.loads(backend.ask(stack, "stack", "history", "--json", *options) or "[]") or []
    validations = json.loads(backend.ask(stack, "stack", "tag", "ls", "--json") or "{}")
    return [_deployment(entry, validations) for entry in entries]


def deployed(deployments: Sequence[Deployment], stack: str) -> Revision:
    """The revision of the last update, of `deployments` with the newest first. Raises OpsError where none is known."""
    updates = [deployment for deployment in deployments if deployment.kind == "update"]
    if not updates:
        raise OpsError(f"stack {stack} was never deployed; bring it up with: ops up --stack {stack}", code=2)
    program = updates[0].program
    if not program or not program.revision.commit:
        raise OpsError(f"stack {stack} was not deployed by `ops` from a Git checkout, so its revision is not known")
    return program.revision


def _deployment(entry: Mapping[str, Any], validations: Mapping[str, str]) -> Deployment:
    program = _program(entry.get("message") or "")
    config = {
        key.removeprefix(_PREFIX): value
        for key, value in (entry.get("config") or {}).items()
        if key.startswith(_PREFIX)
    }
    return Deployment(
        entry["kind"],
        datetime.fromisoformat(entry["startTime"]),
        entry["result"],
        validations.get(_TAG + program.id, "") if program else "",
        program,
        {key: value["value"] for key, value in config.items() if "value" in value},
        frozenset(key for key, value in config.items() if value["secret"]),
    )


def _program(message: str) -> Program | None:
    """What `message` says of the program; None for a message that is none of ours."""
    try:
        noted = json.loads(message)
        return Program(
            noted["id"],
            Revision(noted["revision"], noted["changed"]),
            noted["images"],
            noted["overrides"],
            frozenset(noted["withheld"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
