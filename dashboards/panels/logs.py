"""Log lines, and how many there are."""

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import logs, loki, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel

from dashboards.panels.base import finish, legend
from dashboards.panels.colors import BAD, CALM, GOOD, WARN, fixed
from dashboards.panels.limits import steps
from dashboards.panels.series import piled
from dashboards.sources import LOKI

# Levels, as a regular expression, and their colours.
_LEVELS = {"critical|error|fatal": BAD, "warn.*": WARN, "info": GOOD, "debug|trace": CALM, "unknown|": "text"}


def log_volume(title: str, description: str, selector: str) -> Panel:
    """How many lines `selector` finds, by level."""
    per_level = f"sum by (detected_level) (count_over_time({selector} [$__auto]))"
    bars = (
        timeseries.Panel()
        .draw_style(common.GraphDrawStyle.BARS)
        .line_width(0)
        .fill_opacity(80)
        .stacking(piled())
        .legend(legend(common.LegendDisplayMode.TABLE, common.LegendPlacement.RIGHT, "sum"))
        .tooltip(make.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .with_target(_query(per_level).legend_format("{{detected_level}}"))
    )
    for level, color in _LEVELS.items():
        bars = bars.override_by_regexp(f"/^({level})$/", [DynamicConfigValue("color", fixed(color))])
    return finish(bars.build(), title, description, "short", steps(None), source=LOKI)


def log_lines(title: str, description: str, selector: str) -> Panel:
    """The lines that `selector` finds, newest first."""
    lines = (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
        .dedup_strategy(common.LogsDedupStrategy.NONE)
        .with_target(_query(selector).max_lines(500))
    )
    return finish(lines.build(), title, description, "short", steps(None), source=LOKI)


def _query(expr: str) -> loki.Dataquery:
    return loki.Dataquery().datasource(LOKI).ref_id("A").query_type("range").expr(expr)
