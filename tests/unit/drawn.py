"""Reading the dashboards back: their panels, their queries with the variables filled in, their thresholds."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from config.example import demo_settings
from config.settings import Settings
from dashboards import build

Json = dict[str, Any]

UIDS = ["api-gateway", "business-metrics", "database", "system-overview", "websocket"]

# What Grafana fills in by itself, as it would with a minute between points.
_BUILT_IN = {"__rate_interval": "1m", "__auto": "1m", "__interval": "1m", "__range": "1h"}


@dataclass(frozen=True)
class Query:
    """One query of a panel with its variables filled in; `raw` is as it stands in the dashboard."""

    dashboard: str
    panel: str
    legend: str
    expr: str
    raw: str
    source: str
    instant: bool
    unit: str

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel} / {self.legend or self.expr}"


@cache
def dev_settings(**keys: str) -> Settings:
    """Settings of a stack with the demo backend, from defaults and `keys` alone."""
    return demo_settings(**keys)


def dashboards(settings: Settings | None = None) -> dict[str, Json]:
    """Uid -> dashboard."""
    return {uid: json.loads(text) for uid, text in build(settings or dev_settings()).items()}


def panels(dashboard: Json) -> Iterator[Json]:
    """Every panel, those of collapsed rows too, without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(settings: Settings | None = None, choices: Mapping[str, str] | None = None) -> list[Query]:
    """Every query of every panel; `choices` is variable -> value, others are at their defaults."""
    return [
        Query(
            uid,
            panel["title"],
            target.get("legendFormat", ""),
            fill(target["expr"], dashboard, choices or {}),
            target["expr"],
            target["datasource"]["uid"],
            bool(target.get("instant")),
            panel["fieldConfig"]["defaults"]["unit"],
        )
        for uid, dashboard in dashboards(settings).items()
        for panel in panels(dashboard)
        for target in panel.get("targets", [])
    ]


def fill(expr: str, dashboard: Json, choices: Mapping[str, str]) -> str:
    """`expr` with the variables filled in, by default with all instances and nothing searched for.

    KeyError for a variable that the dashboard does not have.
    """
    defaults = {
        variable["name"]: variable.get("allValue") or variable.get("query") or ""
        for variable in dashboard["templating"]["list"]
    }
    values: Mapping[str, str] = {**_BUILT_IN, **defaults, **choices}
    return re.sub(r"\$(\w+)", lambda match: match.group() if match.group(1).isdigit() else values[match.group(1)], expr)


def thresholds(panel: Json) -> list[float]:
    """The numbers at which a panel, or a column of it, changes its colour."""
    config = panel["fieldConfig"]
    found = [config["defaults"]["thresholds"]]
    found += [p["value"] for o in config["overrides"] for p in o["properties"] if p["id"] == "thresholds"]
    return [step["value"] for each in found for step in each["steps"] if step["value"] is not None]
