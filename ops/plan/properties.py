"""The properties of a container, volume or network that differ, as a person would name them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ops.plan.compare import differences, shown
from ops.plan.files import Text
from ops.plan.model import SECRET, Detail
from ops.plan.steps import UNKNOWN, Step

# Lists whose parts are told apart by one of their values: property -> that one, and what a part is called.
_KEYED = {
    "mounts": ("target", "mount"),
    "ports": ("internal", "host port of"),
    "networksAdvanced": ("name", "network"),
    "labels": ("label", "label"),
    "devices": ("containerPath", "device"),
}
_NAMES = {
    "memory": "memory (MiB)",
    "readOnly": "read-only file system",
    "destroyGraceSeconds": "seconds to stop",
    "envs": "environment",
    "groupAdds": "groups",
}
# What only ever goes with another property that is told, or concerns Pulumi alone.
_SILENT = {"memorySwap", "stopTimeout", "containerReadRefreshTimeoutMilliseconds", "start", "wait", "waitTimeout"}
# Of an argument that has no value.
_SET = "set"
# Characters beyond which a value is a text of its own.
_LONG = 200


def details(
    step: Step, names: Iterable[str], before: Mapping[str, Text], after: Mapping[str, Text]
) -> tuple[Detail, ...]:
    """How the properties `names` differ; `before` and `after` are the container's files on both sides, by path."""
    wanted = set(names)
    # Which comes first is what a reader thinks of first.
    order = [name for name in ("image", "name", "uploads", "command", "envs", "ports") if name in wanted]
    found: list[Detail] = []
    for name in [*order, *sorted(wanted - set(order) - (_SILENT if len(wanted) > 1 else set()))]:
        found += _of(name, step.before.get(name), step.after.get(name), before, after)
    return tuple(found)


def _of(name: str, old: Any, new: Any, before: Mapping[str, Text], after: Mapping[str, Text]) -> list[Detail]:
    if name == "uploads":
        return _of_files(before, after)
    if name == "mounts" and old == new:
        return [Detail("the replacement of its volume")]
    if old == new or SECRET in (old, new):
        # It differs from what is really there, which a refresh found; or it is secret.
        return [Detail(f"{_named(name)} changes")]
    if name == "command":
        return _of_arguments(old or [], new or [])
    if name == "envs":
        return [_short(detail) for detail in differences(_environment(old), _environment(new))]
    if name in _KEYED:
        key, what = _KEYED[name]
        found = differences(_by(key, old), _by(key, new))
        # The port itself is what `external` says.
        names = [f"{what} {detail.name.removesuffix('.external')}" for detail in found]
        return [_short(Detail(one, detail.before, detail.after)) for one, detail in zip(names, found, strict=True)]
    return [_short(detail) for detail in differences(old, new, _named(name))]


def _named(name: str) -> str:
    """A property as a person would call it: `stop signal` for stopSignal."""
    return _NAMES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _of_files(before: Mapping[str, Text], after: Mapping[str, Text]) -> list[Detail]:
    """The files that come, go and change; what is in them is told elsewhere, and of a secret one nothing."""
    found = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old and new and old.content == new.content:
            continue
        secret = "secret file" if (new or old or Text("")).secret else "file"
        state = "new" if not old else "gone" if not new else "changed"
        found.append(Detail(f"{secret} {path} ({state})"))
    return found


def _of_arguments(old: list[str], new: list[str]) -> list[Detail]:
    """The arguments that differ; one that has a value by its name."""
    before, after = _arguments(old), _arguments(new)
    if len(before) != len(old) or len(after) != len(new) or any(len(text) > _LONG for text in (*old, *new)):
        return [Detail("command changes")]
    return [_argument(detail) for detail in differences(before, after)]


def _arguments(command: list[str]) -> dict[str, str]:
    """Name -> value of each argument; one without a value stands for itself."""
    found = {}
    for argument in command:
        name, equals, value = argument.partition("=")
        found[name if equals else argument] = value if equals else _SET
    return found


def _argument(detail: Detail) -> Detail:
    if _SET in (detail.before, detail.after):
        return Detail(f"argument {detail.name} ({'new' if detail.after else 'gone'})")
    return detail


def _environment(values: Any) -> dict[str, str]:
    return dict(str(value).partition("=")[::2] for value in values or [])


def _by(key: str, values: Any) -> dict[str, Any]:
    """The parts of a list by what tells them apart, each without that."""
    found = {}
    for value in values or []:
        rest = {name: content for name, content in value.items() if name != key}
        found[shown(value.get(key))] = shown(rest.get("value")) if set(rest) == {"value"} else rest
    return found


def _short(detail: Detail) -> Detail:
    """The same without values that are long, secret, or not known yet."""
    texts = (detail.before, detail.after)
    if any(len(text) > _LONG or SECRET in text for text in texts):
        return Detail(f"{detail.name} changes")
    return Detail(detail.name, *("known once it is made" if UNKNOWN in text else text for text in texts))
