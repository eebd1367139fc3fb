"""Log lines, and how many there are.

All that is asked of Loki beyond the pages' own selectors stands here.
"""

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

# What a line begins with that the panel shows beside it, or that nobody reads: times, levels, process ids. Written for
# a Go template, in which a backslash is doubled.
_PREFIXES = (
    # PostgreSQL's, up to the severity, which stays.
    r"^\\d{4}-\\d\\d-\\d\\d [0-9:.]+ \\w+ \\[\\d+\\] .*?([A-Z]+[1-5]?:) +",
    # Redis's.
    r"^\\d+:[XCSM] \\d\\d \\w{3} \\d{4} [0-9:.]+ [.*#-] ",
    # Those of programs that write name=value.
    r"\\b(?:ts|time|t|level|lvl)=(?:\\\"[^\\\"]*\\\"|\\S+) ",
)
_PLAIN = f'regexReplaceAll "{"|".join(_PREFIXES)}" __line__ "${{1}} "'
# Field -> how it is shown behind the message.
_MATTERS = {
    "route": "route {{ . }}",
    "status": "status {{ . }}",
    "latency_ms": "{{ . }} ms",
    "duration_seconds": "{{ . }} s",
    "seconds": "{{ . }} s",
    "request_id": "request {{ . }}",
}
_MESSAGE = (
    "{{ if .msg }}{{ .msg }}{{ else if .path }}{{ .method }} {{ .path }}"
    "{{ else }}{{ trim ("
    + _PLAIN
    + ") }}{{ end }}"
    + "".join("{{ with ." + field + " }}  ·  " + shown + "{{ end }}" for field, shown in _MATTERS.items())
)
# Of no use to a reader, or said already by a label or by what the log agent read of the line (config/logs/sources.py).
_READ_TWICE = ("level", "event", "request_id", "method", "route", "status", "seconds", "bytes", "client", "upstream")
_AGAIN = ("__error__", "__error_details__", "time", *(f"{field}_extracted" for field in _READ_TWICE))


def readable(selector: str) -> str:
    """`selector`, and each line that it finds as its message and what matters; all its fields stay in the details."""
    return f"{selector} | json | line_format `{_MESSAGE}` | drop {', '.join(_AGAIN)}"


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
        .with_target(_query(readable(selector)).max_lines(500))
    )
    return finish(lines.build(), title, description, "short", steps(None), source=LOKI)


def _query(expr: str) -> loki.Dataquery:
    return loki.Dataquery().datasource(LOKI).ref_id("A").query_type("range").expr(expr)
