"""What an older version of a service cannot read of what a newer one wrote. Sources: docs/upgrades.md."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

Version = tuple[int, ...]

_PAGE = "docs/upgrades.md"
# The range in which `make upgrade-test` has gone back and found all data again.
_PROMETHEUS_SEEN: tuple[Version, Version] = ((3, 5, 1), (3, 13, 5))
# Alertmanager wrote its silences in another way in these, and in these alone.
_ALERTMANAGER_ALONE: Collection[Version] = ((0, 33, 0), (0, 32, 2))


@dataclass(frozen=True)
class Rule:
    """Whether a service that is at one version may go to another, and why not where it may not."""

    may: Callable[[Version, Version], bool]
    why: str


def _same(now: Version, then: Version, parts: int) -> bool:
    return now[:parts] == then[:parts]


def _prometheus(now: Version, then: Version) -> bool:
    first, last = _PROMETHEUS_SEEN
    return then >= now or _same(now, then, 2) or (first <= then and now <= last)


_RULES = {
    "prometheus": Rule(_prometheus, "an older Prometheus need not be able to read the blocks of a newer one"),
    "alertmanager": Rule(
        lambda now, then: then >= now or now not in _ALERTMANAGER_ALONE,
        "no other version reads the silences that this one wrote",
    ),
    "loki": Rule(
        lambda now, then: then >= now or _same(now, then, 1),
        "an older major version need not be able to read a newer one's index",
    ),
    "grafana": Rule(
        lambda now, then: then >= now, "its database was migrated at the first start, and no version migrates it back"
    ),
    "postgres": Rule(
        lambda now, then: _same(now, then, 1), "a server does not read the files of another major version"
    ),
    "redis": Rule(
        lambda now, then: then >= now or _same(now, then, 2),
        "an older Redis does not read the dump of a newer one",
    ),
}


def refusals(now: Mapping[str, str], then: Mapping[str, str], restored: Collection[str] = ()) -> Iterator[str]:
    """Why a stack with the images `now` (key -> tag) cannot go back to those of `then`, with the way for each.

    `restored` are the keys of those whose data from before was put back, so that nothing stands against it.
    """
    for key in sorted(now.keys() & then.keys() & _RULES.keys() - set(restored)):
        if now[key] == then[key]:
            continue
        here, there = _version(now[key]), _version(then[key])
        rule = _RULES[key]
        if here and there and rule.may(here, there):
            continue
        why = rule.why if here and there else "whether its data can be read by the other cannot be told from the tags"
        yield (
            f"{key} cannot go from {now[key]} to {then[key]}: {why}. The way: put the copy of its volume from before "
            f"back ({_PAGE}), or remove the volume where its data may be lost, and then run the same command with "
            f"--restored {key}"
        )


def _version(tag: str) -> Version:
    """The numbers that a tag begins with (`v3.13.5`, `8.0.5-bookworm`); empty where it begins with none."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", tag)
    return tuple(int(part) for part in match[1].split(".")) if match else ()
