"""What is made, changed, replaced and removed: why, what that interrupts, and what it does to data."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from config.durations import seconds
from ops.plan.files import Files
from ops.plan.model import Outage, Resource
from ops.plan.properties import details
from ops.plan.services import OTHER, SERVICES
from ops.plan.steps import Step
from ops.stack.state import CONTAINER, VOLUME, service_of

# What a reviewer reads first.
_ORDER = ("removed", "replaced", "changed", "made")
_RETENTION = "--storage.tsdb.retention.time="


def resources(steps: Sequence[Step], before: Files, after: Files) -> Iterator[Resource]:
    """What happens to each thing, the worst first; `before` and `after` are the files of the containers."""
    lost = {str(step.before.get("name")) for step in steps if _loses_data(step)}
    found = [_resource(step, before, after, lost) for step in steps if not _is_told_elsewhere(step)]
    return iter(sorted(found, key=lambda one: (not one.lost, _ORDER.index(one.verb), one.once, one.kind, one.name)))


def risks(steps: Sequence[Step]) -> Iterator[str]:
    """What is lost, or may be, in words."""
    for step in steps:
        service = service_of(step.urn)
        keeps = SERVICES.get(service, OTHER).keeps
        if _loses_data(step):
            why = "replaced by an empty one" if step.verb == "replaced" else "removed"
            yield f"volume {step.before.get('name')} is {why}; lost with it: {keeps or 'what is in it'}"
        elif step.type == VOLUME and step.verb == "removed" and step.retained:
            yield f"volume {step.before.get('name')} leaves the stack; it stays on the host, as it is retained"
        if step.type == CONTAINER and keeps:
            yield from _of_new_version(step, service, keeps)
            yield from _of_shorter_retention(step)


def _is_told_elsewhere(step: Step) -> bool:
    """Dashboards are told as such; the mark of a deployment is there each time; an image is its container's."""
    return step.kind in ("dashboard", "annotation", "image")


def _loses_data(step: Step) -> bool:
    gone = step.verb in ("replaced", "removed") and step.type == VOLUME and not step.retained
    # The volume of a configuration is written anew before anybody reads it.
    return gone and not step.name.endswith("-config-volume")


def _resource(step: Step, before: Files, after: Files, lost: Collection[str]) -> Resource:
    service = service_of(step.urn)
    once = step.type == CONTAINER and not (step.after or step.before).get("mustRun", True)
    names = step.forced if step.verb == "replaced" else step.differs if step.verb == "changed" else frozenset()
    mine = (before.get(step.name, {}), after.get(step.name, {}))
    return Resource(
        verb=step.verb,
        kind=step.kind,
        service=service,
        name=str((step.after or step.before).get("name") or step.name),
        because=details(step, names, *mine),
        also=details(step, step.differs - names, *mine) if step.verb == "replaced" else (),
        once=once,
        outage=None if once else _outage(step, service),
        data=_fate(step, lost),
        lost=_loses_data(step),
    )


def _outage(step: Step, service: str) -> Outage | None:
    if step.type != CONTAINER or step.verb != "replaced":
        return None
    known = SERVICES.get(service, OTHER)
    # The provider reads it from the state: what counts is what the last update said.
    grace = int(step.before.get("destroyGraceSeconds") or 0)
    return Outage(known.meanwhile, grace, known.measured)


def _fate(step: Step, lost: Collection[str]) -> str:
    """What happens to the data of a container that is replaced or removed."""
    if step.name.endswith("-config-volume"):
        return "it holds configuration alone"
    if step.type == VOLUME:
        return "its data stays on the host" if step.retained and step.verb in ("replaced", "removed") else ""
    if step.type != CONTAINER or step.verb not in ("replaced", "removed"):
        return ""
    volumes = {
        str(mount.get("source"))
        for mount in step.before.get("mounts") or ()
        if mount.get("type") == "volume" and not str(mount.get("source")).endswith("-config")
    }
    said = []
    if step.verb == "removed" and step.before.get("mustRun", True):
        said.append(f"from then on, {SERVICES.get(service_of(step.urn), OTHER).meanwhile}")
    if volumes:
        said.append("its data is lost with its volume" if volumes & set(lost) else "its data volume stays")
    return "; ".join(said)


def _of_new_version(step: Step, service: str, keeps: str) -> Iterator[str]:
    old, new = _version(step.before), _version(step.after)
    if _program(step.before) != _program(step.after):
        return  # another program takes its place
    if step.verb == "replaced" and old and new and old != new and "config" not in service:
        if new < old:
            yield f"{service} goes back from {_dotted(old)} to {_dotted(new)}: it may not read what the newer one wrote"
        elif new[0] != old[0]:
            yield (
                f"{service} goes from {_dotted(old)} to {_dotted(new)}, another major version, with {keeps}: "
                "docs/upgrades.md says what cannot be undone"
            )


def _of_shorter_retention(step: Step) -> Iterator[str]:
    old, new = _retention(step.before), _retention(step.after)
    if old and new and new[0] < old[0]:
        yield f"prometheus keeps {new[1]} in place of {old[1]}: older metrics are deleted"


def _retention(inputs: Mapping[str, object]) -> tuple[float, str] | None:
    """Seconds and text of how long Prometheus keeps what it measured."""
    command = inputs.get("command")
    for argument in command if isinstance(command, list) else ():
        if str(argument).startswith(_RETENTION):
            text = str(argument).removeprefix(_RETENTION)
            return seconds(text), text
    return None


def _version(inputs: Mapping[str, object]) -> tuple[int, ...]:
    """The version in an image's tag; empty where it has none."""
    found = re.search(r":v?(\d+(?:\.\d+)*)", str(inputs.get("image", "")))
    return tuple(map(int, found.group(1).split("."))) if found else ()


def _program(inputs: Mapping[str, object]) -> str:
    """The last part of an image's name, wherever it comes from: `redis` of `docker.io/library/redis:8.0`."""
    return str(inputs.get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")[0]


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
