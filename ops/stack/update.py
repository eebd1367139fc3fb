"""Pulumi's operations on a stack, with live progress, and with the cause first when one fails."""

import json
import logging
import re
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from pulumi.automation import CommandError, EngineEvent, OpType

from config.way_out import set_with
from ops.errors import OpsError
from ops.report import say
from ops.stack.backend import explain
from ops.stack.workspace import Workspace

# Steps that change something, as a person would say them.
_VERBS = {
    OpType.CREATE: "created",
    OpType.UPDATE: "updated",
    OpType.DELETE: "deleted",
    OpType.CREATE_REPLACEMENT: "replaced",
    OpType.REPLACE: "replaced",
    OpType.DELETE_REPLACED: "removed the old",
    OpType.REFRESH: "refreshed",
}
# What Pulumi does at a time: most of it waits for a container. Its own default is four for each processor.
_AT_ONCE = 32
# Lines of a container's log that are shown when it does not become healthy.
_LAST_WORDS = 8
# Unchanged lines that are shown around a changed one.
_CONTEXT = 3
_QUIET = {OpType.REFRESH, OpType.SAME, OpType.READ, OpType.REPLACE}


class Progress:
    """Prints a line for every resource that changed; keeps the errors and counts what was done."""

    def __init__(self, engine: docker.DockerClient | None = None, *, silent: bool = False) -> None:
        """`engine` is asked for the log of a container that fails; a `silent` one prints nothing."""
        self._engine = engine
        self._say = (lambda _: None) if silent else say
        self._container_names: dict[str, str] = {}
        self.errors: list[str] = []
        self.changes: dict[str, int] = {}

    def __call__(self, event: EngineEvent) -> None:
        """Take one event of the engine."""
        if event.res_outputs_event:
            metadata = event.res_outputs_event.metadata
            if metadata.op not in _QUIET and _is_physical(metadata.type):
                self._say(f"{_VERBS.get(metadata.op, str(metadata.op))} {_label(metadata.urn)}")
        elif event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            if metadata.new and metadata.new.inputs and metadata.type.endswith(":Container"):
                self._container_names[metadata.urn] = metadata.new.inputs["name"]
            if metadata.op in (OpType.CREATE, OpType.CREATE_REPLACEMENT) and metadata.type.endswith(":Container"):
                self._say(f"starting {_label(metadata.urn)} …")
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            if cause := _cause(event.diagnostic_event.message, event.diagnostic_event.urn):
                self.errors.append(cause + self._last_words(cause, event.diagnostic_event.urn))
        elif event.diagnostic_event and event.diagnostic_event.severity == "warning":
            self._say(_clean(event.diagnostic_event.message))
        elif event.summary_event:
            self.changes = {str(op): count for op, count in event.summary_event.resource_changes.items()}

    def _last_words(self, cause: str, urn: str | None) -> str:
        """What a container said that did not become healthy: the provider tells only that it did not."""
        name = self._container_names.get(urn or "")
        if "healthy state" not in cause or not name or not self._engine:
            return ""
        try:
            log = self._engine.containers.get(name).logs(tail=_LAST_WORDS).decode(errors="replace").strip()
        except DockerException as error:
            log = str(error)
        return f"; the last lines of {name}:\n{textwrap.indent(log or '(it said nothing)', '  ')}"


def up(
    workspace: Workspace, engine: docker.DockerClient | None, message: str, plan: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Bring the stack to what the program declares; operation -> count of resources.

    `engine` is asked for the log of a container that does not become healthy. `message` is noted with the update.
    Where there is a `plan` of Pulumi's, it fails rather than do anything else.
    """
    progress = Progress(engine)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "plan.json"
        file.write_text(json.dumps(plan))
        _run(
            workspace,
            progress,
            lambda: workspace.stack.up(
                parallel=_AT_ONCE,
                message=message,
                plan=str(file) if plan else None,
                on_event=progress,
                log_flow=False,
            ),
        )
    return progress.changes


def planned(workspace: Workspace) -> dict[str, Any]:
    """Pulumi's plan of what `up` would do now, as JSON; it says nothing. Secrets in it are encrypted."""
    progress = Progress(silent=True)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "plan.json"
        _run(
            workspace,
            progress,
            lambda: workspace.stack.preview(parallel=_AT_ONCE, plan=str(file), on_event=progress),
        )
        plan: dict[str, Any] = json.loads(file.read_text())
    return plan


@dataclass(frozen=True)
class Previewed:
    """What the engine said of an update that it only planned: its events, and its own diff line by line."""

    events: Sequence[EngineEvent]
    diff: Sequence[str]


def preview(workspace: Workspace, *, refresh: bool = False) -> Previewed:
    """What `up` would change."""
    progress = Progress(silent=True)
    events: list[EngineEvent] = []
    shown: list[str] = []

    def on_event(event: EngineEvent) -> None:
        progress(event)
        events.append(event)

    _run(
        workspace,
        progress,
        lambda: workspace.stack.preview(
            diff=True,
            parallel=_AT_ONCE,
            refresh=refresh,
            color="auto",
            on_event=on_event,
            on_output=shown.append,
            suppress_progress=True,
        ),
    )
    return Previewed(events, condense([line for text in shown for line in text.splitlines()]))


def refresh(workspace: Workspace, target: list[str] | None = None, exclude: list[str] | None = None) -> dict[str, int]:
    """Read back what is there into the state; operation -> count of resources.

    `target` (URN patterns) limits it to these, `exclude` leaves these out.
    """
    progress = Progress()
    _run(
        workspace,
        progress,
        lambda: workspace.stack.refresh(parallel=_AT_ONCE, target=target, exclude=exclude, on_event=progress),
    )
    return progress.changes


def destroy(workspace: Workspace) -> dict[str, int]:
    """Remove everything of the stack; operation -> count of resources."""
    progress = Progress()
    _run(workspace, progress, lambda: workspace.stack.destroy(parallel=_AT_ONCE, on_event=progress))
    return progress.changes


def _run(workspace: Workspace, progress: Progress, operation: Callable[[], Any]) -> None:
    # Pulumi's SDK logs tracebacks when an update fails, or when a process runs several; the cause is in the events.
    for noisy in ("asyncio", "grpc", "grpc._server"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
    try:
        operation()
    except CommandError as error:
        causes = list(dict.fromkeys(progress.errors)) or [explain(str(error), workspace.stack.name)]
        raise OpsError("\n".join(causes)) from None


def condense(lines: Sequence[str]) -> list[str]:
    """A diff of Pulumi's without what does not change: marked lines, `_CONTEXT` lines around each, `…` for the rest.

    Pulumi shows a changed file or dashboard whole.
    """
    marked = [number for number, line in enumerate(lines) if re.match(r"\s*([-+~]|\[urn=|Resources:|Previewing)", line)]
    kept = {near for number in marked for near in range(number - _CONTEXT, number + _CONTEXT + 1)}
    result = []
    for number, line in enumerate(lines):
        if number in kept:
            result.append(line)
        elif number - 1 in kept:
            result.append("    …")
    return result


def _is_physical(resource_type: str) -> bool:
    """Whether a resource is a thing at a provider, and no component."""
    return not resource_type.startswith(("monitoring:", "pulumi:"))


def _label(urn: str) -> str:
    """`Container prometheus` for a URN."""
    resource_type, name = urn.split("::")[-2:]
    return f"{resource_type.rsplit(':', 1)[-1]} {name}"


def _cause(message: str, urn: str | None) -> str:
    """What an error says, without the wrapping of the engine and the provider; empty for a repetition of another."""
    text = _clean(message).removeprefix("Exception calling application: ")
    if " violates plan" in text or "not allowed by the plan" in text:
        # What follows are values, and may be secrets.
        return f"{_label(urn) if urn else 'a resource'}: differs from the plan that was reviewed; make a new one"
    # The provider logs each error before the engine reports it, and the engine ends with a summary of its own.
    if ": sdk.helper_schema: " in text or text in ("update failed", "preview failed"):
        return ""
    if urn and ("marked for protection" in text or "because it is protected" in text):
        return (
            f"{_label(urn)}: this would remove it with its data, and it is protected; where that data may go, "
            f"bring the stack up without the change first, after: {set_with('protect', 'false')}"
        )
    lines = [
        line
        for line in (line.strip().removeprefix("* ") for line in text.splitlines())
        if line and not re.fullmatch(r"(.* )?\d+ errors? occurred:", line)
    ]
    return (f"{_label(urn)}: " if urn and "::pulumi:pulumi:Stack::" not in urn else "") + "\n".join(lines)


def _clean(message: str) -> str:
    """A diagnostic without Pulumi's colour marks."""
    return re.sub(r"<\{%[^%]*%\}>", "", message).strip()
