"""Lines over time."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColor, FieldColorModeId, Panel

from dashboards.links import Link
from dashboards.panels.base import Unit, finish, legend, targets
from dashboards.panels.colors import fixed
from dashboards.panels.limits import Limit, line_at


def series(
    title: str,
    description: str,
    unit: Unit,
    queries: Mapping[str, str],
    limit: Limit | None = None,
    *,
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
    table = common.LegendDisplayMode.TABLE
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
            legend(table, common.LegendPlacement.RIGHT, "lastNotNull", "max")
            if many
            else legend(table, common.LegendPlacement.BOTTOM, "lastNotNull", "mean", "max")
        )
        .targets(targets(queries))
    )
    if stack:
        lines = lines.stacking(piled())
    if maximum is not None:
        lines = lines.max(maximum)
    if limit:
        lines = lines.thresholds_style(make.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    for name, color in (colors or {}).items():
        lines = lines.override_by_name(name, [DynamicConfigValue("color", fixed(color))])
    panel = finish(lines.build(), title, description, unit, line_at(limit), links)
    assert panel.field_config
    panel.field_config.defaults.color = FieldColor(FieldColorModeId.PALETTE_CLASSIC)
    return panel


def piled() -> make.StackingConfig:
    """One series on top of the other."""
    return make.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
