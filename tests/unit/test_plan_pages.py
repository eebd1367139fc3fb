"""What changes in a dashboard, said in its own terms: the stack's real pages, as no Grafana is to be had here.

The comments are stored in tests/unit/previews; MONITORING_WRITE_PREVIEWS=1 writes them anew, to be read.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from dashboards import build
from ops.plan import pages
from ops.plan.build import plan
from ops.plan.markdown import markdown
from ops.plan.words import change
from tests.previews import assert_stored
from tests.unit.drawn import dev_settings

Page = dict[str, Any]
_DATABASE = build(dev_settings())["database"]
_URN = (
    "urn:pulumi:dev::monitoring::monitoring:index:MonitoringStack$monitoring:grafana:Content$"
    "grafana:oss/dashboard:Dashboard::"
)


def _changed(edit: Callable[[Page], object]) -> str:
    page = json.loads(_DATABASE)
    edit(page)
    return json.dumps(page)


def _said(after: str, before: str = _DATABASE) -> list[str]:
    return [f"{one.verb}: {change(one, str)}" for one in pages.changes(before, after)]


def _panel(page: Page, title: str) -> Page:
    return next(panel for panel in page["panels"] if panel["title"] == title)


def _query(page: Page) -> None:
    _panel(page, "Deadlocks")["targets"][0]["expr"] = "sum(rate(pg_stat_database_deadlocks[10m]))"


def _removed(page: Page) -> None:
    """The panel goes; those beside it take its place, and those below stay."""
    gone = _panel(page, "Deadlocks")
    page["panels"].remove(gone)
    _panel(page, "Connections by state")["gridPos"]["w"] += gone["gridPos"]["w"]


def _added(page: Page) -> None:
    """A panel at the end of a row: all below it stand further down."""
    place = page["panels"].index(_panel(page, "Redis"))
    new = copy.deepcopy(_panel(page, "Deadlocks"))
    new["title"], new["gridPos"] = "Deadlocks by hour", {"h": 8, "w": 24, "x": 0, "y": 70}
    new["targets"][0]["expr"] = "increase(pg_stat_database_deadlocks[1h])"
    page["panels"].insert(place, new)
    for panel in page["panels"][place + 1 :]:
        panel["gridPos"]["y"] += 8


def _moved(page: Page) -> None:
    panel = _panel(page, "Deadlocks")
    page["panels"].remove(panel)
    page["panels"].append(panel)


def _renamed(page: Page) -> None:
    _panel(page, "Deadlocks")["title"] = "Deadlocks per second"


def _variable(page: Page) -> None:
    page["templating"]["list"][0]["label"] = "Server"


def test_what_is_drawn_the_same_is_no_change() -> None:
    assert _said(_DATABASE) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            _removed,
            [
                "removed: panel Database / Deadlocks removed",
                "moved: panel Database / Connections by state moved: size 14x11 → 24x11",
            ],
        ),
        (
            _added,
            [
                "added: panel Database / Deadlocks by hour added: row Causes in PostgreSQL; "
                "query increase(pg_stat_database_deadlocks[1h])"
            ],
        ),
        (_moved, ["moved: panel Database / Deadlocks moved: row Causes in PostgreSQL → Logs"]),
        (_renamed, ["changed: panel Database / Deadlocks per second: title Deadlocks → Deadlocks per second"]),
        (_variable, ["changed: dashboard Database: variables.server.label PostgreSQL server → Server"]),
    ],
)
def test_panels_come_go_move_and_take_another_name(edit: Callable[[Page], object], said: list[str]) -> None:
    assert _said(_changed(edit)) == said


def test_a_query_is_said_before_and_after() -> None:
    (said,) = _said(_changed(_query))
    assert said.startswith("changed: panel Database / Deadlocks: query ")
    assert said.endswith(" → sum(rate(pg_stat_database_deadlocks[10m]))")


def test_a_threshold_is_the_limit_of_each_panel_that_draws_it() -> None:
    after = build(dev_settings(thresholds='{"postgres_connections_usage:ratio": 0.5}'))["database"]
    assert any("limits" in said and "red from 0.5" in said for said in _said(after))


def _events(op: str, uid: str, before: str, after: str) -> list[EngineEvent]:
    """What the engine tells of a dashboard; it was recorded for other resources, as no Grafana is to be had here."""
    urn, type_ = f"{_URN}{uid}", "grafana:oss/dashboard:Dashboard"
    sides = {"old": before, "new": after}
    states = {
        side: {"type": type_, "urn": urn, "id": uid, "parent": "", "provider": "", "inputs": {"configJson": text}}
        for side, text in sides.items()
        if text
    }
    metadata = {"op": op, "urn": urn, "type": type_, "provider": "", "diffs": ["configJson"], **states}
    counts = {"resourceChanges": {op: 1, "same": 80}, "maybeCorrupt": False, "durationSeconds": 4}
    return [
        EngineEvent.from_json({"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": metadata}}),
        EngineEvent.from_json({"sequence": 2, "timestamp": 1, "summaryEvent": counts}),
    ]


@pytest.mark.parametrize("edit", [_query, _removed, _added, _moved, _renamed, _variable])
def test_the_comment_about_a_changed_dashboard(edit: Callable[[Page], object]) -> None:
    comment = markdown(plan("dev", _events("update", "database", _DATABASE, _changed(edit)), {}, {}))
    assert_stored("unit", f"dashboard{edit.__name__.replace('_', '-')}", comment)


def test_the_comment_about_a_threshold_that_dashboards_draw() -> None:
    after = build(dev_settings(thresholds='{"postgres_connections_usage:ratio": 0.5}'))["database"]
    assert_stored(
        "unit", "dashboard-limit", markdown(plan("dev", _events("update", "database", _DATABASE, after), {}, {}))
    )


@pytest.mark.parametrize(("op", "sides"), [("create", ("", _DATABASE)), ("delete", (_DATABASE, ""))])
def test_the_comment_about_a_dashboard_that_comes_or_goes(op: str, sides: tuple[str, str]) -> None:
    assert_stored("unit", f"dashboard-{op}", markdown(plan("dev", _events(op, "database", *sides), {}, {})))
