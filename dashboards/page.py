"""A page: rows of lines of panels, from what is firing at the top to the logs at the bottom."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    AnnotationTarget,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from config.settings import Settings
from dashboards.layout import Row, line, place, row
from dashboards.links import to_alert, to_logs, to_runbook
from dashboards.panels.base import data_link
from dashboards.panels.colors import BAD, CALM, GOOD, WARN
from dashboards.panels.grid import Column, grid
from dashboards.panels.limits import Limit
from dashboards.panels.logs import log_lines, log_volume
from dashboards.panels.numbers import figures
from dashboards.panels.timeline import timeline
from dashboards.sources import GRAFANA, PROMETHEUS, deployment_tags

# The variable `search`, in any case of letters; empty finds every line.
_SEARCH = '|~ "(?i)$search"'


@dataclass(frozen=True)
class Choice:
    """A variable: one or more of the values that `label` has on the series of `metric`."""

    name: str
    title: str
    metric: str
    label: str = field(default="instance")


@dataclass(frozen=True)
class About:
    """What a page is about.

    `components` is a regular expression of the alerts' label, `logs` the LogQL that finds its log lines. `height` is
    that of the first row, in grid units.
    """

    uid: str
    title: str
    description: str
    components: str
    logs: str
    choices: Sequence[Choice] = ()
    height: int = 6


def page(settings: Settings, about: About, rows: Sequence[Row]) -> Dashboard:
    """The dashboard: what is firing for its components, then `rows`, then its log lines.

    A value without a link of its own leads to these lines.
    """
    board = (
        build.Dashboard(about.title)
        .uid(about.uid)
        .description(about.description)
        .tags(["monitoring"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("10s")
        .timepicker(build.TimePicker().refresh_intervals(["5s", "10s", "30s", "1m", "5m", "15m"]))
        .link(build.DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags(["monitoring"]).keep_time(True))
        .link(_outside("Alertmanager", settings.alertmanager_url, "Alerts, and silences for them"))
        .link(_outside("Runbooks", settings.runbook_base_url, "What to do about each alert"))
        .annotation(_deployments(settings))
        .annotation(_alerts(about.components))
    )
    for choice in about.choices:
        board = board.with_variable(_query_variable(choice))
    board = board.with_variable(
        build.TextBoxVariable("search")
        .default_value("")
        .label("Search logs")
        .description("Text or regular expression; a request id too")
    )
    dashboard = board.build()
    dashboard.panels = place([_firing(settings, about), *rows, _logs(f"{about.logs} {_SEARCH}")])
    for panel in dashboard.panels:
        for shown in [panel] if isinstance(panel, Panel) else panel.panels or []:
            # In a table every cell would be underlined.
            if shown.field_config and shown.type_val != "table" and not shown.field_config.defaults.links:
                shown.field_config.defaults.links = [data_link(to_logs(about.logs))]
    return dashboard


def _firing(settings: Settings, about: About) -> Row:
    """How much is firing, what since when, and what has been."""
    components = about.components
    alerts = f'ALERTS{{alertstate="firing",priority=~"P.",component=~"{components}"}}'
    count = f'count(ALERTS{{alertstate="firing",priority="%s",component=~"{components}"}}) or vector(0)'
    since = f'ALERTS_FOR_STATE{{priority=~"P.",component=~"{components}"}} and ignoring(alertstate) {alerts}'
    # What an alert is about has another label for each kind of thing.
    subject = f'label_join({since}, "subject", " ", "name", "mountpoint", "datname", "route", "instance")'
    return row(
        "What is firing",
        line(
            about.height,
            figures(
                "Alerts",
                "Alerts that are firing now, by priority. P1 needs a person at once, P2 within the hour, P3 this week.",
                "none",
                {priority: count % priority for priority in ("P1", "P2", "P3")},
                Limit(1, "above"),
            ),
            grid(
                "Firing now",
                "What is firing, about what, and since when. Click an alert for its runbook, or to silence it.",
                {"priority": "Priority", "alertname": "Alert", "subject": "About"},
                {"Since": Column(f"max by (priority, alertname, subject) ({subject}) * 1000", "dateTimeFromNow")},
                states={"P1": ("P1", BAD), "P2": ("P2", WARN), "P3": ("P3", CALM)},
                sort="Priority",
                wide="About",
                widths={"Priority": 90, "Alert": 290, "Since": 115},
                links={"Alert": [to_runbook(settings, "Alert"), to_alert(settings, "Alert")]},
                quiet="Nothing is firing",
            ),
            timeline(
                "What has fired",
                "Each alert while it was firing, in the colour of its priority.",
                {"{{alertname}}": _by_priority(components)},
                {3: ("P1", BAD), 2: ("P2", WARN), 1: ("P3", CALM), 0: ("nothing", GOOD)},
            ),
            widths=(3, 13, 8),
        ),
    )


def _by_priority(components: str) -> str:
    """3, 2 and 1 for each alert of P1, P2 and P3 while it fires, and 0 for "Nothing fires" while none does.

    Without the last, Grafana would complain that the data has no time.
    """
    one = 'ALERTS{{alertstate="firing",priority="{}",component=~"{}"}}'
    firing = "max by (alertname) ({} * 3 or {} * 2 or {})".format(
        *(one.format(priority, components) for priority in ("P1", "P2", "P3"))
    )
    return f'{firing} or on () label_replace(vector(0), "alertname", "Nothing fires", "", "")'


def _logs(query: str) -> Row:
    return row(
        "Logs",
        line(
            7,
            log_volume("Lines by level", "How many lines were logged, by level. Look at bursts of errors.", query),
        ),
        line(
            12,
            log_lines(
                "Lines",
                "The newest lines. Open one for its fields; its request id leads to the lines of the same request.",
                query,
            ),
        ),
    )


def _outside(title: str, url: str, tooltip: str) -> build.DashboardLink:
    return (
        build.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("external link")
        .url(url)
        .tooltip(tooltip)
        .target_blank(True)
    )


class _Marks(Builder[Dataquery], Dataquery):
    """The marks with all of `tags`: a query of Grafana's own data source, for which the SDK has none."""

    def __init__(self, tags: list[str]) -> None:
        self._target = AnnotationTarget(limit=100, match_any=False, tags=tags, type_val="tags")

    def build(self) -> Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        return self._target.to_json()


def _deployments(settings: Settings) -> build.AnnotationQuery:
    """A mark at each deployment, which `up` writes."""
    mark = build.AnnotationQuery().name("Deployments").datasource(GRAFANA).enable(True).icon_color("purple")
    return mark.target(_Marks(deployment_tags(settings.stack)))


def _alerts(components: str) -> build.AnnotationQuery:
    """When P1 alerts of these components fired; off until somebody turns it on, as it can be much."""
    query = f'ALERTS{{alertstate="firing",priority="P1",component=~"{components}"}}'
    return (
        build.AnnotationQuery()
        .name("P1 alerts")
        .datasource(PROMETHEUS)
        .enable(False)
        .icon_color(BAD)
        .target(prometheus.Dataquery().datasource(PROMETHEUS).ref_id("A").expr(query))
        .title_format("{{alertname}}")
        .tag_keys("priority,component,instance")
    )


def _query_variable(choice: Choice) -> build.QueryVariable:
    query = f"label_values({choice.metric}, {choice.label})"
    return (
        build.QueryVariable(choice.name)
        .label(choice.title)
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": "A"})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(text="All", value="$__all", selected=True))
    )
