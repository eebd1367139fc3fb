"""The next place to look: what a click on a value offers."""

import json
import re
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
    return Link(title, _explore(selector, "${__from}", "${__to}"))


def to_request(settings: Settings) -> Link:
    """All lines of the request whose id is the value, whichever service wrote them, of the last 24 hours."""
    selector = '{stack="' + settings.stack + '"} | request_id="${__value.raw}"'
    return Link("All lines of this request", settings.grafana.url + _explore(selector, "now-24h", "now"))


def to_statements(settings: Settings) -> Link:
    """What the database does, for somebody who looks at the line of one slow statement."""
    return Link("Database dashboard: statements", f"{settings.grafana.url}/d/database?from=now-1h&to=now")


def to_runbook(settings: Settings, field: str) -> Link:
    """The runbook of the alert whose name is in the column `field` of a table."""
    return Link("Runbook", f'{settings.runbook_base_url}/${{__data.fields["{field}"]}}.md')


def to_alert(settings: Settings, field: str) -> Link:
    """The alert whose name is in the column `field` of a table, in Alertmanager, where it can be silenced."""
    matcher = f'{{alertname="${{__data.fields["{field}"]}}"}}'
    return Link("Alertmanager: silence it", f"{settings.alertmanager_url}/#/alerts?filter={matcher}")


def _explore(selector: str, start: str, end: str) -> str:
    """Explore with a LogQL query; what Grafana fills in stays as it is, all else is quoted for an address."""
    state = {
        "datasource": "loki",
        "queries": [{"refId": "A", "datasource": {"type": "loki", "uid": "loki"}, "expr": selector}],
        "range": {"from": start, "to": end},
    }
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    parts = re.split(r"(\$\{[\w.]+\})", text)
    return "/explore?left=" + "".join(part if part.startswith("${") else quote(part, safe="") for part in parts)
