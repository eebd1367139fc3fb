"""Tables of the present."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, Panel
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.links import Link
from dashboards.panels.base import data_link, finish, instant
from dashboards.panels.colors import states_as
from dashboards.panels.limits import Limit, steps


@dataclass(frozen=True)
class Column:
    """A column of values in a table: its PromQL, its unit, and its limit."""

    expr: str
    unit: str
    limit: Limit | None = None


def grid(
    title: str,
    description: str,
    labels: Mapping[str, str],
    columns: Mapping[str, Column],
    *,
    states: Mapping[str, tuple[str, str]] | None = None,
    sort: str = "",
    descending: bool = False,
    wide: str = "",
    widths: Mapping[str, int] | None = None,
    links: Mapping[str, Sequence[Link]] | None = None,
    quiet: str = "",
) -> Panel:
    """A table of the present: one row for each set of `labels` (label -> heading), one column for each of `columns`.

    `states` is value -> (text, colour) of the cells in the first column; `links` is heading -> links of its cells.
    `widths` is heading -> pixels; the other columns share what is left. The column `wide` breaks its text into lines.
    """
    rows = (
        table.Panel()
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .min_width(60)
        .targets([instant(n, column.expr).format(PromQueryFormat.TABLE) for n, column in enumerate(columns.values())])
        .transformations(_one_table(labels, [*columns]))
    )
    for heading, column in columns.items():
        rows = rows.override_by_name(heading, _look(column))
    if states:
        rows = rows.override_by_name(
            next(iter(labels.values())),
            [
                DynamicConfigValue("mappings", [states_as(states)]),
                DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
            ],
        )
    if wide:
        rows = rows.override_by_name(wide, _wrapped())
    for heading, width in (widths or {}).items():
        rows = rows.override_by_name(heading, [DynamicConfigValue("custom.width", width)])
    for heading, targets in (links or {}).items():
        rows = rows.override_by_name(heading, [DynamicConfigValue("links", [data_link(link) for link in targets])])
    if sort:
        rows = rows.sort_by([make.TableSortByFieldState().display_name(sort).desc(descending)])
    if quiet:
        rows = rows.no_value(quiet)
    # As text: an id of digits alone would be shown as a number of trillions.
    return finish(rows.build(), title, description, "string", steps(None))


def _one_table(labels: Mapping[str, str], headings: Sequence[str]) -> list[DataTransformerConfig]:
    """The answers of all queries in one table, labels first, under their headings."""
    one = len(headings) == 1
    names = {"Value" if one else f"Value #{chr(65 + n)}": heading for n, heading in enumerate(headings)}
    order = {
        "excludeByName": {"Time": True},
        "indexByName": {name: n for n, name in enumerate([*labels, *names])},
        "renameByName": {**labels, **names},
    }
    return [
        DataTransformerConfig(id_val="merge", options={}),
        DataTransformerConfig(id_val="organize", options=order),
    ]


def _wrapped() -> list[DynamicConfigValue]:
    # Grafana 12.4 reads the second; releases before it read the first.
    return [
        DynamicConfigValue("custom.cellOptions", {"type": "auto", "wrapText": True}),
        DynamicConfigValue("custom.wrapText", True),
    ]


def _look(column: Column) -> list[DynamicConfigValue]:
    unit = DynamicConfigValue("unit", column.unit)
    if not column.limit:
        return [unit]
    colored = DynamicConfigValue("custom.cellOptions", {"type": "color-text"})
    return [unit, DynamicConfigValue("thresholds", steps(column.limit)), colored]
