"""The engine's events of a preview, reduced to one step for each thing that changes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pulumi.automation import EngineEvent, OpType, StepEventMetadata

from ops.plan.model import SECRET

_VERBS: Mapping[OpType, Literal["made", "changed", "replaced", "removed"]] = {
    OpType.CREATE: "made",
    OpType.UPDATE: "changed",
    # Of the three events of a replacement, the one that has both sides, also where a dependency forces it.
    OpType.CREATE_REPLACEMENT: "replaced",
    OpType.DELETE: "removed",
}
# How the engine writes what it hides, and what is known only when it is made (sdk/go/common/resource: the signature of
# a secret, plugin.UnknownStringValue).
_SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# What the provider fills in, or we use to tell a stack's things by: no matter of a reviewer.
_INTERNAL = ("__defaults", "__meta")


@dataclass(frozen=True)
class Step:
    """What is done to one resource: its inputs `before` and `after`, secrets hidden.

    `forced` are the properties that force a replacement, `differs` all that differ. `retained` says that the thing
    itself stays when the resource is removed.
    """

    verb: Literal["made", "changed", "replaced", "removed"]
    urn: str
    type: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    forced: frozenset[str] = frozenset()
    differs: frozenset[str] = frozenset()
    retained: bool = False

    @property
    def name(self) -> str:
        """Its name in the program, such as `prometheus-container`."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def kind(self) -> str:
        """What kind of thing it is: container, volume, network, image, dashboard, …"""
        kind = self.type.rsplit(":", 1)[-1]
        return "image" if kind == "RemoteImage" else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()


def steps(events: Iterable[EngineEvent]) -> Iterator[Step]:
    """A step for each resource that changes, in the engine's order."""
    for event in events:
        metadata = event.resource_pre_event.metadata if event.resource_pre_event else None
        if metadata and metadata.op in _VERBS and not metadata.type.startswith(("monitoring:", "pulumi:")):
            yield _step(metadata)


def warnings(events: Iterable[EngineEvent]) -> list[str]:
    """What the program and the providers warn of, each once."""
    found = (event.diagnostic_event for event in events if event.diagnostic_event)
    texts = [re.sub(r"<\{%[^%]*%\}>", "", one.message).strip() for one in found if one.severity == "warning"]
    return list(dict.fromkeys(texts))


def unprotected(events: Iterable[EngineEvent]) -> list[str]:
    """What a `destroy` may remove from then on; to Pulumi such a resource stays the same."""
    found = sorted(
        metadata.urn.rsplit("::", 1)[-1]
        for event in events
        if event.resource_pre_event
        for metadata in [event.resource_pre_event.metadata]
        if metadata.old and metadata.new and metadata.old.protect and not metadata.new.protect
    )
    return [f"not protected any more, so that `destroy` removes the data, too: {', '.join(found)}"] if found else []


def counts(events: Iterable[EngineEvent]) -> dict[str, int]:
    """Operation -> number of resources, as the engine counts them; empty where it did not come to an end."""
    for event in events:
        if event.summary_event:
            return {str(operation): count for operation, count in event.summary_event.resource_changes.items()}
    return {}


def _step(metadata: StepEventMetadata) -> Step:
    old, new = metadata.old, metadata.new
    differs = {_top(path) for path in [*(metadata.detailed_diff or {}), *(metadata.diffs or ())]}
    forced = {
        _top(path) for path, diff in (metadata.detailed_diff or {}).items() if diff.diff_kind.value.endswith("replace")
    }
    return Step(
        verb=_VERBS[metadata.op],
        urn=metadata.urn,
        type=metadata.type,
        before=_plain(old.inputs or {}) if old else {},
        after=_plain(new.inputs or {}) if new and metadata.op != OpType.DELETE else {},
        forced=frozenset(forced or map(_top, metadata.keys or ())),
        differs=frozenset(differs),
        retained=bool(old and old.retain_on_delete),
    )


def _top(path: str) -> str:
    """The property that a path such as `ports[0].external` begins with."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _plain(value: Any) -> Any:
    """A value without the provider's own, and with SECRET for what is hidden."""
    if isinstance(value, Mapping):
        if _SIGNATURE in value:
            return SECRET
        return {key: _plain(content) for key, content in value.items() if key not in _INTERNAL}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
