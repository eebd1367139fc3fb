"""A dashboard: which panels come, go, move or ask something else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.plan.compare import differences, moved, one_line, pairs
from ops.plan.model import Change, Detail

# What has words of its own; the rest of a panel is told value by value.
_TOLD = ("gridPos", "targets", "title", "panels")


@dataclass(frozen=True)
class Placed:
    """A panel, the heading that it stands under, and its width and height."""

    row: str
    title: str
    panel: Mapping[str, Any]

    @property
    def size(self) -> str:
        """Width x height in grid units."""
        place = self.panel.get("gridPos") or {}
        return f"{place.get('w')}x{place.get('h')}"

    @property
    def queries(self) -> list[str]:
        """What it asks."""
        return [one_line(str(target.get("expr", ""))) for target in self.panel.get("targets") or []]

    @property
    def shows(self) -> dict[str, Any]:
        """All of it, but for its place."""
        return {key: value for key, value in self.panel.items() if key != "gridPos"}


def changes(before: str, after: str) -> Iterator[Change]:
    """What changes between two texts of a dashboard's JSON. Raises ValueError where one is none."""
    old, new = json.loads(before), json.loads(after)
    title = str(new.get("title", ""))
    was, becomes = list(_placed(old)), list(_placed(new))
    # A panel that only stands further down, as one above it grew, has not changed.
    found = pairs(was, becomes, lambda placed: placed.title, lambda placed: placed.panel.get("type"))
    renamed = _renamed(found)
    for first, second in found:
        if first and second:
            if details := tuple(_details(first, second)):
                yield Change("changed", "panel", f"{title} / {second.title}", details)
        elif first and first.title not in renamed:
            yield Change("removed", "panel", f"{title} / {first.title}")
        elif second and second.title in renamed.values():
            old_title = next(name for name, other in renamed.items() if other == second.title)
            yield Change("changed", "panel", f"{title} / {second.title}", (Detail("title", old_title, second.title),))
        elif second:
            yield Change("added", "panel", f"{title} / {second.title}", _of_new(second))
    yield from _of_places(title, was, becomes)
    rest = differences(_rest(old), _rest(new))
    if rest:
        yield Change("changed", "dashboard", title, rest)


def _placed(dashboard: Mapping[str, Any]) -> Iterator[Placed]:
    row = ""
    for panel in dashboard.get("panels") or []:
        if panel.get("type") == "row":
            row = str(panel.get("title", ""))
            for inner in panel.get("panels") or []:
                yield Placed(row, str(inner.get("title", "")), inner)
        else:
            yield Placed(row, str(panel.get("title", "")), panel)


def _renamed(found: Sequence[tuple[Placed | None, Placed | None]]) -> dict[str, str]:
    """Old title -> new title of the panels that ask the same under another name."""
    gone = [first for first, second in found if first and not second]
    come = [second for first, second in found if second and not first]
    return {
        old.title: new.title
        for old in gone
        for new in come
        if old.queries and old.queries == new.queries and old.panel.get("type") == new.panel.get("type")
    }


def _of_new(placed: Placed) -> tuple[Detail, ...]:
    return (Detail("row", "", placed.row), *(Detail("query", "", query) for query in placed.queries))


def _details(old: Placed, new: Placed) -> Iterator[Detail]:
    before = {str(target.get("refId")): target for target in old.panel.get("targets") or []}
    after = {str(target.get("refId")): target for target in new.panel.get("targets") or []}
    for reference in sorted({*before, *after}):
        was, becomes = before.get(reference, {}), after.get(reference, {})
        name = f"query {reference}" if len({*before, *after}) > 1 else "query"
        if was.get("expr") != becomes.get("expr"):
            yield Detail(name, one_line(str(was.get("expr", ""))), one_line(str(becomes.get("expr", ""))))
        if was and becomes:
            rest = {key: value for key, value in was.items() if key != "expr"}
            yield from differences(rest, {key: value for key, value in becomes.items() if key != "expr"}, name)
    yield from _of_options(old.panel, new.panel)


def _of_options(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Detail]:
    """What else differs in a panel; its colours' limits as one line."""
    was, becomes = _limits(old), _limits(new)
    if was != becomes:
        yield Detail("limits", was, becomes)
    for detail in differences(_options(old), _options(new)):
        if ".thresholds." not in detail.name:
            yield detail if len(detail.before + detail.after) < 200 else Detail(f"{detail.name} changes")


def _options(panel: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in panel.items() if key not in _TOLD}


def _limits(panel: Mapping[str, Any]) -> str:
    defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
    steps = (defaults.get("thresholds") or {}).get("steps") or []
    return ", ".join(f"{step.get('color')} from {step['value']:g}" for step in steps if step.get("value") is not None)


def _of_places(title: str, old: Sequence[Placed], new: Sequence[Placed]) -> Iterator[Change]:
    rows = {placed.title: placed.row for placed in old}
    sizes = {placed.title: placed.size for placed in old}
    out_of_order = set(moved([placed.title for placed in old], [placed.title for placed in new]))
    for placed in new:
        if placed.title not in rows:
            continue
        details = []
        if rows[placed.title] != placed.row:
            details.append(Detail("row", rows[placed.title], placed.row))
        if sizes[placed.title] != placed.size:
            details.append(Detail("size", sizes[placed.title], placed.size))
        if details or placed.title in out_of_order:
            yield Change("moved", "panel", f"{title} / {placed.title}", tuple(details))


def _rest(dashboard: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in dashboard.items() if key not in ("panels", "templating")}
    variables = (dashboard.get("templating") or {}).get("list") or []
    kept["variables"] = {str(variable.get("name")): variable for variable in variables}
    return kept
