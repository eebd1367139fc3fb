"""Changes of routes and inhibitions, against the cases of tests/routing, which ask a real Alertmanager.

A change is made to what config/alertmanager makes from a stack's settings. As each case has settings of its own, a
change names the place where it is made by what a route is for, and not by its number.
"""

import copy
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.mutation.kept import Kept, key_of
from bench.mutation.mutant import Mutant
from config.alerting_keys import OWN_RECEIVERS
from config.alertmanager.routes import inhibitions, route
from config.durations import seconds
from config.example import demo_settings
from config.project import ROOT

VARIABLE = "MONITORING_MUTATION"
"""The environment variable that tells bench.mutation.plugin which change to make, in JSON."""

Json = dict[str, Any]
_OPERATOR = re.compile(r"(=~|!~|!=|=)")
_OTHER = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_TESTS = {
    "inhibitions": ("tests/routing/test_alertmanager.py",),
    "routes": ("tests/unit/test_files.py", "tests/routing/test_routes.py"),
}
_AT_ONCE = 2
# Places of routes that a person has configured.
_FURTHER, _MUTED = "a further receiver", "a mute time with matchers"
# A stack that has every kind of route: further receivers, and mute times with matchers and without.
_EVERYTHING = {
    "receivers": json.dumps([{"name": "team", "kind": "webhook", "matchers": ['component="database"']}]),
    "receiverSecrets": json.dumps({"team": "https://team.example/x"}),
    "muteTimes": json.dumps(
        [
            {"name": "night", "times": ["00:00-07:00"], "priorities": ["P3"]},
            {"name": "shop", "times": ["00:00-24:00"], "matchers": ['component="business"']},
        ]
    ),
}


def routing_changes() -> list[Json]:
    """Every change, as JSON: `of` (inhibitions or routes), `place`, `field`, what is done there, and to which item."""
    settings = demo_settings(**_EVERYTHING)
    found: list[Json] = []
    for number, rule in enumerate(inhibitions(settings)):
        for field in ("equal", "source_matchers", "target_matchers"):
            for item, value in enumerate(rule.get(field, ())):
                whole = {"of": "inhibitions", "place": number, "field": field, "item": item, "value": value}
                found += [{**whole, "do": do} for do in (("drop",) if field == "equal" else ("flip", "drop"))]
    # The labels that must be equal first: what is easily left out of a case.
    found.sort(key=lambda change: change["field"] != "equal")
    for place, node, depth in _nodes(route(settings), ()):
        changes = [{"of": "routes", "place": place, **change} for change in _changes_of(node, depth)]
        found += [change for change in changes if change not in found]
    return found


def _changes_of(node: Json, depth: int) -> Iterator[Json]:
    # What further receivers and mute times match is a person's.
    matchers = node.get("matchers", ()) if _is_own(node) else ()
    yield from ({"field": "matchers", "value": matcher, "do": "flip"} for matcher in matchers)
    yield from ({"field": "group_by", "value": label, "do": "drop"} for label in node.get("group_by", ()))
    if "mute_time_intervals" in node:
        yield {"field": "mute_time_intervals", "value": "", "do": "remove"}
    for wait in ("group_wait", "group_interval", "repeat_interval"):
        if wait in node:
            yield {"field": wait, "value": node[wait], "do": "double"}
    # Deeper in the tree nothing follows that would take the alert as well.
    if depth == 1:
        receiver = node["receiver"] if node["receiver"] in OWN_RECEIVERS else ""
        yield {"field": "continue", "value": receiver, "do": "negate"}


def _nodes(node: Json, way: tuple[str, ...], depth: int = 0) -> Iterator[tuple[str, Json, int]]:
    """Every route of a tree, with the place where it is, and how deep; a change is made to all of one place.

    The routes below one of a further receiver or of a mute time are made as those beside it, and have their place.
    """
    yield " > ".join(way) or "the root", node, depth
    above = tuple(name for name in way if name not in (_FURTHER, _MUTED))
    for inner in node.get("routes", ()):
        yield from _nodes(inner, (*above, _name(inner)), depth + 1)


def _name(node: Json) -> str:
    if _is_own(node):
        return ", ".join(node["matchers"])
    return _FURTHER if "continue" in node else _MUTED


def _is_own(node: Json) -> bool:
    """Whether what a route matches is the stack's own, and not what a person has configured."""
    matchers = ", ".join(node.get("matchers", ()))
    if matchers.startswith("component="):
        # Below the route of a component nothing is; below those of further receivers and mute times there is.
        return "routes" not in node
    return bool(re.fullmatch(r'alertname="Watchdog"|priority(=|!~)"[^"]+"', matchers))


def changed_inhibitions(rules: list[Json], change: Json) -> list[Json]:
    """The rules with a change in them."""
    rules = copy.deepcopy(rules)
    node, field = rules[change["place"]], change["field"]
    # By its number: with other settings the text of a matcher is another.
    node[field] = _without_or_flipped(node[field], node[field][change["item"]], change["do"])
    return rules


def changed_route(root: Json, change: Json) -> Json:
    """The tree of routes with a change at each place that the change names."""
    root = copy.deepcopy(root)
    for place, node, depth in list(_nodes(root, ())):
        if place == change["place"] and (change["do"] != "negate" or depth == 1):
            _change(node, change["field"], change["value"], change["do"])
    return root


def _change(node: Json, field: str, value: str, do: str) -> None:
    if do == "negate":
        if value == (node["receiver"] if node["receiver"] in OWN_RECEIVERS else ""):
            node[field] = not node.get(field, False)
    elif do == "double":
        # Of one that does not wait: a minute.
        node[field] = f"{seconds(value) * 2 or 60:.0f}s"
    elif do == "remove":
        node.pop(field, None)
    elif value in node.get(field, ()):
        node[field] = _without_or_flipped(node[field], value, do)


def _without_or_flipped(items: list[str], item: str, do: str) -> list[str]:
    flipped = [] if do == "drop" else [_OPERATOR.sub(lambda match: _OTHER[match.group()], item, count=1)]
    return [other for one in items for other in (flipped if one == item else [one])]


def routing_mutants(deadline: float) -> Iterator[Mutant]:
    """Every change of routes and inhibitions, tried or known; ends early at `deadline` (of time.monotonic).

    Raises RuntimeError where a case fails without any change.
    """
    kept = Kept("routing")
    for of, tests in _TESTS.items():
        if _try({"of": of}, tests, kept, deadline):
            raise RuntimeError(f"the cases of {of} fail without any change: {' '.join(tests)}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        changes = routing_changes()
        tried = pool.map(lambda change: _try(change, _TESTS[change["of"]], kept, deadline), changes)
        for change, noticed in zip(changes, tried, strict=True):
            if noticed is not None:
                yield Mutant(change["of"], *said(change), noticed)


def _try(change: Json, tests: tuple[str, ...], kept: Kept, deadline: float) -> bool | None:
    """Whether a case notices a change; None where there is no time left to try it."""
    key = _key(change, tests)
    if kept.get(key) is None and time.monotonic() < deadline:
        kept.put(key, _fails(tests, change))
    return kept.get(key)


def _key(change: Json, tests: tuple[str, ...]) -> str:
    sources = [*(ROOT / "config/alertmanager").glob("*.py"), *(ROOT / "tests/routing").glob("*.py")]
    return key_of(
        change, *(path.read_text() for path in sorted(sources)), *((ROOT / test).read_text() for test in tests)
    )


def _fails(tests: tuple[str, ...], change: Json) -> bool:
    """Whether a test fails with a change."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "bench.mutation.plugin", *tests]
    environment = {**os.environ, VARIABLE: json.dumps(change)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode == 1


def said(change: Json) -> tuple[str, str]:
    """The name of what is changed, and the change, for people."""
    if change["of"] == "routes":
        return change["place"], f"{change['do']} {change['field']} {change['value']}".strip()
    rule = inhibitions(demo_settings(**_EVERYTHING))[change["place"]]
    name = f"{', '.join(rule['source_matchers'])} keeps quiet {', '.join(rule['target_matchers'])}"
    return name, f"{change['do']} {change['field']} {change['value']}"
