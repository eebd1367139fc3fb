"""Alertmanager's configuration: what changes in routes, receivers, inhibitions and mute times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ops.plan.compare import differences, moved, pairs, shown
from ops.plan.model import Change, Detail, Verb

# What has words of its own below; the rest of the file is told value by value.
_TOLD = ("route", "receivers", "inhibit_rules", "time_intervals")


@dataclass(frozen=True)
class Route:
    """A route: its matchers from the root on, and its own values without the routes below it."""

    path: tuple[str, ...]
    receiver: str
    values: Mapping[str, Any]
    below: int


def changes(before: str, after: str) -> Iterator[Change]:
    """What changes between two texts of alertmanager.yml. Raises yaml.YAMLError where one is no YAML."""
    old, new = yaml.safe_load(before) or {}, yaml.safe_load(after) or {}
    yield from _of_routes(list(_routes(old.get("route") or {})), list(_routes(new.get("route") or {})))
    yield from _of_receivers(old.get("receivers") or [], new.get("receivers") or [])
    yield from _of_inhibitions(old.get("inhibit_rules") or [], new.get("inhibit_rules") or [])
    yield from _of_named("mute time", old.get("time_intervals") or [], new.get("time_intervals") or [])
    rest = differences(_without(old, _TOLD), _without(new, _TOLD))
    if rest:
        yield Change("changed", "settings", "alertmanager.yml", rest)


def _routes(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[Route]:
    matchers = ", ".join(map(str, tree.get("matchers") or [])) or "everything"
    path = (*above, matchers) if above or tree.get("matchers") else ("everything else",)
    inner = tree.get("routes") or []
    yield Route(path, str(tree.get("receiver", "")), _without(tree, ("routes", "matchers")), len(inner))
    for route in inner:
        yield from _routes(route, path if tree.get("matchers") else ())


def _of_routes(old: Sequence[Route], new: Sequence[Route]) -> Iterator[Change]:
    found = pairs(old, new, lambda route: route.path, lambda route: route.receiver)
    for was, becomes in found:
        route = becomes or was
        assert route
        # Of a route that comes or goes with all that is below it, the top is enough.
        if not (was and becomes) and any(
            other and other.path == route.path[:-1] and other.receiver == route.receiver
            for pair in found
            if None in pair
            for other in pair
        ):
            continue
        below = f"with {route.below} below it" if route.below and not (was and becomes) else ""
        if not was:
            yield Change("added", "route", _name(route), differences({}, _without(route.values, ("receiver",))), below)
        elif not becomes:
            yield Change("removed", "route", _name(route), note=below)
        elif details := differences(was.values, becomes.values):
            yield Change("changed", "route", _name(becomes), details)
    for path, receiver in moved(_order(old), _order(new)):
        yield Change("moved", "route", f"{' › '.join(path)} → {receiver}", note="the first that matches takes an alert")


def _order(routes: Sequence[Route]) -> list[tuple[tuple[str, ...], str]]:
    return [(route.path, route.receiver) for route in routes]


def _name(route: Route) -> str:
    return f"{' › '.join(route.path)} → {route.receiver}"


def _of_receivers(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    for was, becomes in pairs(old, new, lambda receiver: receiver.get("name")):
        before, after = was or {}, becomes or {}
        name = str((becomes or was or {})["name"])
        ways = list(dict.fromkeys(key for key in (*before, *after) if key.endswith("_configs")))
        details: list[Detail] = []
        for way in ways:
            channel = way.removesuffix("_configs")
            if not before.get(way) or not after.get(way):
                details.append(
                    Detail(f"{channel} is not told any more" if before.get(way) else f"{channel} is told, too")
                )
            else:
                details += differences(before[way], after[way], channel)
        if not was or not becomes:
            yield Change("added" if becomes else "removed", "receiver", name, tuple(details))
        else:
            yield Change("changed", "receiver", name, tuple(details))


def _of_inhibitions(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    for was, becomes in pairs(old, new, lambda rule: str(rule.get("source_matchers")), _targets):
        rule = becomes or was or {}
        name = f"{shown(rule.get('source_matchers'))} silences {shown(rule.get('target_matchers'))}"
        if was and becomes:
            yield Change("changed", "inhibition", name, differences(was, becomes))
        else:
            equal = f"of the same {shown(rule['equal'])}" if rule.get("equal") else "of any"
            yield Change("added" if becomes else "removed", "inhibition", name, note=equal)


def _targets(rule: Mapping[str, Any]) -> str:
    return str(rule.get("target_matchers"))


def _of_named(what: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    for was, becomes in pairs(old, new, lambda thing: thing.get("name")):
        verb: Verb = "changed" if was and becomes else "added" if becomes else "removed"
        name = str((becomes or was or {})["name"])
        yield Change(verb, what, name, differences(was or {}, becomes or {}) if becomes else ())


def _without(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}
