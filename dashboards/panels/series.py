"""Lines over time."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColor, FieldColorModeId, Panel

from dashboards.links import Link
from dashboards.panels.base import Queries, Unit, finish, legend, short_names, targets
from dashboards.panels.colors import fixed
from dashboards.panels.limits import Limit, line_at


class Look(TypedDict, total=False):
    """How lines are drawn.

    `stack` piles them up, `maximum` is where the axis ends, and `colors` is legend -> colour. The legend stands below,
    where Grafana gives it a third of the panel: room for two lines in a panel 8 units high, three in 9, four in 11.
    `many` puts it to the right, for a panel that is half a page wide. `prefix` is what names begin with and need not be
    said.
    """

    stack: bool
    maximum: float | None
    colors: Mapping[str, str] | None
    many: bool
    prefix: str
    links: Sequence[Link]


def series(
    title: str, description: str, unit: Unit, queries: Queries, limit: Limit | None = None, **look: Unpack[Look]
) -> Panel:
    """Lines over time: `queries` is legend -> PromQL; `limit` is drawn as a dashed line."""
    stack, many, maximum = look.get("stack", False), look.get("many", False), look.get("maximum")
    right, bottom = common.LegendPlacement.RIGHT, common.LegendPlacement.BOTTOM
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
            legend(common.LegendDisplayMode.TABLE, right if many else bottom, "lastNotNull", "max")
            # The largest come first, and are seen wherever the others do not fit.
            .sort_by("Max")
            .sort_desc(True)
        )
        .targets(targets(queries))
        .transformations(short_names(look.get("prefix", "")))
    )
    if stack:
        lines = lines.stacking(piled())
    if maximum is not None:
        lines = lines.max(maximum)
    if limit:
        lines = lines.thresholds_style(make.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    for name, color in (look.get("colors") or {}).items():
        lines = lines.override_by_name(name, [DynamicConfigValue("color", fixed(color))])
    panel = finish(lines.build(), title, description, unit, line_at(limit), look.get("links", ()))
    assert panel.field_config
    panel.field_config.defaults.color = FieldColor(FieldColorModeId.PALETTE_CLASSIC)
    return panel


def piled() -> make.StackingConfig:
    """One series on top of the other."""
    return make.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
