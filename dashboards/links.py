"""The next place to look: what a click on a value offers."""

import json
from dataclasses import dataclass
from urllib.parse import quote

from config.settings import Settings


@dataclass(frozen=True)
class Link:
    """A link of a panel's values. Grafana fills in `${…}` from the value clicked and the time range shown."""

    title: str
    url: str


def to_page(uid: str, title: str) -> Link:
    """Another of our dashboards, over the same time."""
    return Link(f"Look at: {title}", f"/d/{uid}?${{__url_time_range}}")


def to_logs(selector: str, title: str = "Logs of this time") -> Link:
    """The log lines that the LogQL `selector` finds, in Explore, over the same time."""
    left = {
        "datasource": "loki",
        "queries": [{"refId": "A", "datasource": {"type": "loki", "uid": "loki"}, "expr": selector}],
        "range": {"from": "FROM", "to": "TO"},
    }
    url = quote(json.dumps(left, sort_keys=True, separators=(",", ":")), safe="")
    return Link(title, "/explore?left=" + url.replace("FROM", "${__from}").replace("TO", "${__to}"))


def to_runbook(settings: Settings, field: str) -> Link:
    """The runbook of the alert whose name is in the column `field` of a table."""
    return Link("Runbook", f'{settings.runbook_base_url}/${{__data.fields["{field}"]}}.md')


def to_alert(settings: Settings, field: str) -> Link:
    """The alert whose name is in the column `field` of a table, in Alertmanager, where it can be silenced."""
    matcher = f'{{alertname="${{__data.fields["{field}"]}}"}}'
    return Link("Alertmanager: silence it", f"{settings.alertmanager_url}/#/alerts?filter={matcher}")
