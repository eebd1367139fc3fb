"""Two versions of something structured, compared: which parts go together, which moved, and which values differ."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, TypeVar

from ops.plan.model import Detail

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


def pairs(before: Sequence[T], after: Sequence[T], *keys: Callable[[T], Hashable]) -> list[tuple[T | None, T | None]]:
    """What of `before` became what of `after`, as pairs that differ; None on the side where it is missing.

    Two that are equal are left out. Else those go together that have the same of all `keys`, then of all but the last,
    and so on, the first ones in their order: several rules may have one name.
    """

    def whole(thing: T) -> Hashable:
        return tuple(key(thing) for key in keys)

    old, new = _without_equal(before, after, whole), _without_equal(after, before, whole)
    found: list[tuple[T | None, T | None]] = []
    for count in range(len(keys), 0, -1):
        by_key: dict[Hashable, list[T]] = defaultdict(list)
        for thing in old:
            by_key[tuple(key(thing) for key in keys[:count])].append(thing)
        left = []
        for thing in new:
            same = by_key[tuple(key(thing) for key in keys[:count])]
            if same:
                found.append((same.pop(0), thing))
            else:
                left.append(thing)
        new = left
        old = [thing for same in by_key.values() for thing in same]
    return [*((thing, None) for thing in old), *found, *((None, thing) for thing in new)]


def _without_equal(these: Sequence[T], others: Sequence[T], key: Callable[[T], Hashable]) -> list[T]:
    """Those of `these` that have no equal among the `others`; each of the others counts for one."""
    by_key: dict[Hashable, list[T]] = defaultdict(list)
    for other in others:
        by_key[key(other)].append(other)
    left = []
    for thing in these:
        if thing in (same := by_key[key(thing)]):
            same.remove(thing)
        else:
            left.append(thing)
    return left


def moved(before: Sequence[H], after: Sequence[H]) -> list[H]:
    """Which of those that are on both sides have another place among the others."""
    old = [thing for thing in before if thing in set(after)]
    new = [thing for thing in after if thing in set(before)]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    stayed = {thing for block in matcher.get_matching_blocks() for thing in old[block.a : block.a + block.size]}
    return [thing for thing in new if thing not in stayed]


def differences(before: Any, after: Any, name: str = "") -> tuple[Detail, ...]:
    """The values that differ in two structures, each by its path, such as `limits_config.retention_period`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return tuple(
            detail
            for key in [*before, *(key for key in after if key not in before)]
            for detail in differences(before.get(key), after.get(key), f"{name}.{key}" if name else str(key))
        )
    if before == after:
        return ()
    if _nested(before) and _nested(after) and len(before) == len(after):
        return tuple(
            detail
            for place, (old, new) in enumerate(zip(before, after, strict=True))
            for detail in differences(old, new, f"{name}[{place}]")
        )
    return (Detail(name, shown(before), shown(after)),)


def shown(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={shown(content)}" for key, content in value.items()) or "none"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(shown(one) for one in value) or "none"
    return str(value)


def one_line(text: str) -> str:
    """A text without the line breaks and indentation that mean nothing in it."""
    return re.sub(r"\s+", " ", text).strip()


def _nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, Mapping) for one in value)
