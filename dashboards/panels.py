"""A small vocabulary of panels, with which the pages are written.

Each takes a title, a description (what it shows, and what a bad value means), PromQL or LogQL, and a unit of Grafana's.
A `Limit` is drawn where an alert has one. `links` are the next places to look; without any, a page leads to its logs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import gauge as gauges
from grafana_foundation_sdk.builders import logs as logpanels
from grafana_foundation_sdk.builders import loki, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColor,
    FieldColorModeId,
    FieldConfig,
    FieldConfigSource,
    Panel,
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.links import Link
from dashboards.sources import ALERTMANAGER, LOKI, NAMES, PROMETHEUS

# Named colours, of which Grafana has a light and a dark shade.
GOOD, WARN, BAD, CALM = "green", "orange", "red", "blue"


@dataclass(frozen=True)
class Limit:
    """The threshold of an alert: values on its `bad` side make it fire."""

    value: float
    bad: Literal["above", "below"]


def above(value: float) -> Limit:
    """An alert fires above `value`."""
    return Limit(value, "above")


def below(value: float) -> Limit:
    """An alert fires below `value`."""
    return Limit(value, "below")


def gauge(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str,
    limit: Limit | None = None,
    maximum: float | None = None,
    legend: str = "",
    links: Sequence[Link] = (),
) -> Panel:
    """A dial from 0 to `maximum` (the highest value of the time shown where not given), red beyond the limit."""
    dial = (
        gauges.Panel()
        .min(0)
        .show_threshold_markers(True)
        .reduce_options(make.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_prometheus(expr, legend))
    )
    if maximum is not None:
        dial = dial.max(maximum)
    return _finish(dial.build(), title, description, unit, _steps(limit), links)


def value(
    title: str,
    description: str,
    queries: Mapping[str, str],
    *,
    unit: str,
    limit: Limit | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """One big number for each of `queries` (legend -> PromQL), over its course."""
    number = (
        stat.Panel()
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        # One below the other.
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(make.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets(_queries(queries))
    )
    return _finish(number.build(), title, description, unit, _steps(limit), links)


def series(
    title: str,
    description: str,
    queries: Mapping[str, str],
    *,
    unit: str,
    limit: Limit | None = None,
    stack: bool = False,
    maximum: float | None = None,
    colors: Mapping[str, str] | None = None,
    many: bool = False,
    links: Sequence[Link] = (),
) -> Panel:
    """Lines over time: `queries` is legend -> PromQL.

    `limit` is drawn as a dashed line, `stack` piles the lines up, `colors` is legend -> colour, and `many` puts a long
    legend to the right.
    """
    lines = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if stack else 0 if many else 8)
        .show_points(common.VisibilityMode.NEVER)
        # A gap of up to three scrapes is no outage.
        .span_nulls(30_000)
        .axis_soft_min(0)
        .tooltip(make.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .legend(
            make.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT if many else common.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"] if many else ["lastNotNull", "mean", "max"])
        )
        .targets(_queries(queries))
    )
    if stack:
        lines = lines.stacking(make.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if maximum is not None:
        lines = lines.max(maximum)
    if limit:
        lines = lines.thresholds_style(make.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    for legend, color in (colors or {}).items():
        lines = lines.override_by_name(legend, [DynamicConfigValue("color", _fixed(color))])
    panel = _finish(lines.build(), title, description, unit, _line(limit), links)
    assert panel.field_config
    panel.field_config.defaults.color = FieldColor(FieldColorModeId.PALETTE_CLASSIC)
    return panel


def percentiles(
    title: str,
    description: str,
    p50: str,
    p95: str,
    p99: str,
    *,
    by: str = "",
    limit: Limit | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """P50, P95 and P99 of a latency in seconds; `by` is the legend's suffix, such as ` {{instance}}`."""
    return series(
        title,
        description,
        {f"P50{by}": p50, f"P95{by}": p95, f"P99{by}": p99},
        unit="s",
        limit=limit,
        colors={} if by else {"P50": GOOD, "P95": WARN, "P99": BAD},
        links=links,
    )


def timeline(
    title: str,
    description: str,
    queries: Mapping[str, str],
    states: Mapping[int, tuple[str, str]],
    *,
    quiet: str = "",
    links: Sequence[Link] = (),
) -> Panel:
    """A bar for each series, in the state of each moment. `states` is value -> (text, colour)."""
    bars = (
        statetimeline.Panel()
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(
            make.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .mappings([_mapping({str(state): shown for state, shown in states.items()})])
        .targets(_queries(queries))
    )
    if quiet:
        bars = bars.no_value(quiet)
    return _finish(bars.build(), title, description, "none", _steps(None), links)


@dataclass(frozen=True)
class Column:
    """A column of values in a table: its unit, its limit, and its text and colour by value where it has states."""

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
    links: Mapping[str, Sequence[Link]] | None = None,
    quiet: str = "",
) -> Panel:
    """A table of the present: one row for each set of `labels` (label -> heading), one column for each of `columns`.

    `states` is value -> (text, colour) of the cells in the first column; `links` is heading -> links of its cells.
    """
    only = len(columns) == 1
    names = {"Value" if only else f"Value #{chr(65 + n)}": heading for n, heading in enumerate(columns)}
    rows = (
        table.Panel()
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .min_width(60)
        .targets([_instant(column.expr, chr(65 + n)) for n, column in enumerate(columns.values())])
        .transformations(
            [
                DataTransformerConfig(id_val="merge", options={}),
                DataTransformerConfig(
                    id_val="organize",
                    options={
                        "excludeByName": {"Time": True},
                        "indexByName": {name: n for n, name in enumerate([*labels, *names])},
                        "renameByName": {**labels, **names},
                    },
                ),
            ]
        )
    )
    for heading, column in columns.items():
        properties = [DynamicConfigValue("unit", column.unit)]
        if column.limit:
            properties += [
                DynamicConfigValue("thresholds", _steps(column.limit)),
                DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ]
        rows = rows.override_by_name(heading, properties)
    if states:
        rows = rows.override_by_name(
            next(iter(labels.values())),
            [
                DynamicConfigValue("mappings", [_mapping(states)]),
                DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
                DynamicConfigValue("custom.width", 70),
            ],
        )
    for heading, targets in (links or {}).items():
        rows = rows.override_by_name(heading, [DynamicConfigValue("links", [data_link(link) for link in targets])])
    if sort:
        rows = rows.sort_by([make.TableSortByFieldState().display_name(sort).desc(descending)])
    if quiet:
        rows = rows.no_value(quiet)
    # As text: an id of digits alone would be shown as a number of trillions.
    return _finish(rows.build(), title, description, "string", _steps(None), ())


def log_volume(title: str, description: str, selector: str) -> Panel:
    """How many lines `selector` finds, by level."""
    bars = (
        timeseries.Panel()
        .draw_style(common.GraphDrawStyle.BARS)
        .line_width(0)
        .fill_opacity(80)
        .stacking(make.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
        .legend(
            make.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .calcs(["sum"])
        )
        .tooltip(make.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .with_target(
            loki.Dataquery()
            .datasource(LOKI)
            .ref_id("A")
            .query_type("range")
            .expr(f"sum by (detected_level) (count_over_time({selector} [$__auto]))")
            .legend_format("{{detected_level}}")
        )
    )
    colors = {"critical|error|fatal": BAD, "warn.*": WARN, "info": GOOD, "debug|trace": CALM, "unknown|": "text"}
    for level, color in colors.items():
        bars = bars.override_by_regexp(f"/^({level})$/", [DynamicConfigValue("color", _fixed(color))])
    return _finish(bars.build(), title, description, "short", _steps(None), (), LOKI)


def log_lines(title: str, description: str, selector: str) -> Panel:
    """The lines that `selector` finds, newest first."""
    lines = (
        logpanels.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
        .dedup_strategy(common.LogsDedupStrategy.NONE)
        .with_target(loki.Dataquery().datasource(LOKI).ref_id("A").query_type("range").expr(selector).max_lines(500))
    )
    return _finish(lines.build(), title, description, "short", _steps(None), (), LOKI)


def alert_groups(title: str, description: str, matcher: str = "") -> Panel:
    """What Alertmanager has to send, in its groups; `matcher` such as `component="database"` chooses among it."""
    return Panel(
        type_val="alertGroups",
        title=title,
        description=description,
        datasource=ALERTMANAGER,
        # Alertmanager is asked by name, and not with a query.
        options={"alertmanager": NAMES["alertmanager"], "labels": matcher, "expandAll": False},
    )


def _prometheus(expr: str, legend: str, ref_id: str = "A") -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref_id).range().expr(expr).legend_format(legend)


def _instant(expr: str, ref_id: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref_id).instant().expr(expr)
    return query.format(PromQueryFormat.TABLE)


def _queries(queries: Mapping[str, str]) -> list[Builder[Dataquery]]:
    return [_prometheus(expr, legend, chr(65 + n)) for n, (legend, expr) in enumerate(queries.items())]


def _finish(
    panel: Panel,
    title: str,
    description: str,
    unit: str,
    thresholds: ThresholdsConfig,
    links: Sequence[Link],
    source: common.DataSourceRef = PROMETHEUS,
) -> Panel:
    """What every panel has."""
    panel.title, panel.description, panel.datasource = title, description, source
    panel.field_config = panel.field_config or FieldConfigSource(FieldConfig(), [])
    defaults = panel.field_config.defaults
    defaults.unit = unit
    # Without thresholds, Grafana paints everything above 80 red.
    defaults.thresholds = thresholds
    defaults.links = [data_link(link) for link in links] or None
    return panel


class _DataLink(DashboardLink):
    """A link of a value, which has less to it than a dashboard's."""

    def to_json(self) -> dict[str, object]:
        return {"title": self.title, "url": self.url}


def data_link(link: Link) -> DashboardLink:
    """`link` as a panel's field configuration has it."""
    return _DataLink(title=link.title, url=link.url)


def _fixed(color: str) -> FieldColor:
    return FieldColor(FieldColorModeId.FIXED, color)


def _steps(limit: Limit | None) -> ThresholdsConfig:
    """Good up to the limit and bad beyond it, or the other way round; calm where nothing is bad."""
    if not limit:
        return _thresholds(CALM)
    return _thresholds(GOOD, (limit.value, BAD)) if limit.bad == "above" else _thresholds(BAD, (limit.value, GOOD))


def _line(limit: Limit | None) -> ThresholdsConfig:
    """The limit as a red line, whichever side of it is bad."""
    return _thresholds(GOOD, (limit.value, BAD)) if limit else _thresholds(CALM)


def _thresholds(base: str, *steps: tuple[float, str]) -> ThresholdsConfig:
    return ThresholdsConfig(
        ThresholdsMode.ABSOLUTE, [Threshold(None, base), *(Threshold(at, color) for at, color in steps)]
    )


def _mapping(states: Mapping[str, tuple[str, str]]) -> ValueMapping:
    return ValueMap(
        options={
            state: ValueMappingResult(text=text, color=color, index=n)
            for n, (state, (text, color)) in enumerate(states.items())
        }
    )
