"""Nothing on a dashboard is cut in a window 1280 pixels wide, with the series that the demo has.

How much room there is follows from Grafana's source (room.py); which names there are stands in legends.yaml.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config.prometheus import prometheus_files
from tests.unit.drawn import Json, dashboards, dev_settings, panels
from tests.unit.room import MARK, TABLE_LETTER, TABLE_PADDING, inside, legend_need, legend_room, renamed

LEGENDS: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "legends.yaml").read_text())


def drawn(*types: str) -> Iterator[tuple[str, Json]]:
    for uid, dashboard in dashboards().items():
        for panel in panels(dashboard):
            if panel["type"] in types:
                yield f"{uid} / {panel['title']}", panel


def named(*types: str) -> list[object]:
    return [pytest.param(name, panel, id=name) for name, panel in drawn(*types)]


def test_every_name_in_a_legend_belongs_to_a_panel_that_there_is() -> None:
    with_names = {name for name, panel in drawn("timeseries")}
    dials = {name for name, panel in drawn("gauge") if any(t["legendFormat"] for t in panel["targets"])}
    assert set(LEGENDS) == with_names | dials


@pytest.mark.parametrize(("name", "panel"), named("timeseries"))
def test_a_legend_fits(name: str, panel: Json) -> None:
    room, need = legend_room(panel), legend_need(panel, LEGENDS[name])
    assert need.height <= room.height, f"{name}: {len(LEGENDS[name])} rows need {need.height}, there are {room.height}"
    assert need.width <= room.width, f"{name}: needs {need.width} pixels of width, there are {room.width}"


@pytest.mark.parametrize(("name", "panel"), named("timeseries"))
def test_the_largest_stand_first_in_a_legend(name: str, panel: Json) -> None:
    legend = panel["options"]["legend"]
    if panel["datasource"]["uid"] == "prometheus":
        assert legend["sortBy"] == "Max"
        assert legend["sortDesc"]
        assert "max" in legend["calcs"]


@pytest.mark.parametrize(("name", "panel"), named("gauge"))
def test_the_name_below_a_dial_fits(name: str, panel: Json) -> None:
    names = LEGENDS.get(name, [])
    letter = panel["options"]["text"]["titleSize"] * 0.55
    for each in names:
        assert letter * len(renamed(panel, each)) <= inside(panel).width / len(names) - 8, each


@pytest.mark.parametrize(("name", "panel"), named("table"))
def test_the_columns_of_a_table_fit(name: str, panel: Json) -> None:
    headings = list(panel["transformations"][-1]["options"]["renameByName"].values())
    properties = {o["matcher"]["options"]: {p["id"]: p["value"] for p in o["properties"]} for o in overrides(panel)}
    fixed = {heading: properties.get(heading, {}).get("custom.width") for heading in headings}
    left = inside(panel).width - sum(width or 0 for width in fixed.values())
    shared = left / max(1, sum(width is None for width in fixed.values()))
    for heading, width in fixed.items():
        # The heading, with the arrow of the column that is sorted by.
        assert TABLE_LETTER * len(heading) + TABLE_PADDING + 16 <= (width or shared), f"{name}: {heading}"
    if "Alert" in headings:
        assert TABLE_LETTER * max(map(len, alerts())) + TABLE_PADDING <= (fixed["Alert"] or 0)
        assert shared >= TABLE_LETTER * 20
        assert properties["About"]["custom.wrapText"]
    if "Statement" in headings:
        # Wide enough for a statement of 200 letters in four lines, which are all shown.
        assert shared >= TABLE_LETTER * 50
        assert properties["Statement"]["custom.wrapText"]
    if "Id" in headings:
        assert TABLE_LETTER * len("-9223372036854775808") + TABLE_PADDING <= (fixed["Id"] or 0)


def overrides(panel: Json) -> list[Json]:
    """One override for each heading, with all that is said of it."""
    found: dict[str, Json] = {}
    for each in panel["fieldConfig"]["overrides"]:
        heading = each["matcher"]["options"]
        found.setdefault(heading, {"matcher": each["matcher"], "properties": []})["properties"] += each["properties"]
    return list(found.values())


def alerts() -> list[str]:
    """The name of every alert."""
    text = "".join(text for path, text in prometheus_files(dev_settings()).items() if path.startswith("rules/"))
    return re.findall(r"alert: (\w+)", text)


def test_a_legend_that_is_too_long_would_be_found() -> None:
    (panel,) = [panel for name, panel in drawn("timeseries") if name == "database / Query duration"]
    assert legend_need(panel, ["a", "b", "c"]).height > legend_room(panel).height
    assert legend_need(panel, ["a" * 60]).width > legend_room(panel).width
    assert legend_need(panel, ["a" * 10]).width < legend_room(panel).width
    assert legend_need(panel, [""]).width == MARK + 140


def test_names_are_shortened_but_never_made_equal() -> None:
    (panel,) = [panel for name, panel in drawn("timeseries") if name == "database / Query duration"]
    assert renamed(panel, "commits, db:5432") == "commits, db"
    assert renamed(panel, "db:5433") == "db:5433"
    (panel,) = [panel for name, panel in drawn("timeseries") if name.endswith("CPU by container")]
    assert renamed(panel, "monitoring-dev-loki") == "loki"
    assert renamed(panel, "supabase-db") == "supabase-db"
