"""The two smoke tests through Grafana: a query by its data source, and a dashboard of the test's own.

Grafana's HTTP API: https://grafana.com/docs/grafana/latest/developers/http_api/ (data source: "Query a data source";
dashboard: "Create / Update dashboard", "Get dashboard by uid", "Delete dashboard by uid").
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from config.settings import Settings
from ops.validation.check import Check
from ops.validation.grafana import ABSENT, credentials

_TIMEOUT = 15
# Seconds that what was just scraped may take to be found.
_PATIENCE = 10
_NAMES = ("data source", "dashboard")


def checks(settings: Settings, name: str, scraped: bool) -> Iterator[Check]:
    """The two checks; `name` is the container whose sample is looked for, and `scraped` whether Prometheus has it."""
    reason = "" if settings.grafana.mode != "none" else ABSENT
    reason = reason or ("" if scraped else "not tried, as Prometheus has no sample to ask for")
    if reason:
        yield from (Check.skip(each, reason) for each in _NAMES)
        return
    expression = f'container_start_time_seconds{{name="{name}"}}'
    mend = f"ops up --stack {settings.stack} puts back what somebody changed in Grafana; its words: docker logs "
    mend += f"--tail 50 {settings.name('grafana')}"
    with httpx.Client(base_url=settings.grafana.url, auth=credentials(settings.grafana), timeout=_TIMEOUT) as grafana:
        yield _seen("data source", grafana, _target(expression), mend)
        yield _dashboard(grafana, name, expression, mend)


def _target(expression: str) -> dict[str, Any]:
    datasource = {"type": "prometheus", "uid": "prometheus"}
    return {"refId": "A", "datasource": datasource, "expr": expression, "instant": True, "range": False}


def _seen(name: str, grafana: httpx.Client, target: dict[str, Any], hint: str) -> Check:
    """Whether Grafana answers what a panel with this target would ask, with a value."""
    deadline = time.monotonic() + _PATIENCE
    problem = "no value"
    expected = "Grafana has the sample of the test's container"
    while time.monotonic() < deadline:
        try:
            answer = grafana.post("/api/ds/query", json={"queries": [target], "from": "now-5m", "to": "now"})
            frames = answer.raise_for_status().json()["results"]["A"].get("frames") or []
            if any(column for frame in frames for column in frame["data"]["values"]):
                return Check.of(name, True, expected)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        time.sleep(0.5)
    return Check.fail(name, problem, expected=expected, hint=hint)


def _dashboard(grafana: httpx.Client, name: str, expression: str, hint: str) -> Check:
    """A dashboard is written, read back, its panel's own target asked as a browser would, and removed again.

    Nothing is drawn: that needs a browser, or Grafana's renderer, which the stack has not.
    """
    uid = f"smoke-{name[-8:]}"
    panel = {"id": 1, "type": "stat", "title": "Smoke test", "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0}}
    model = {"uid": uid, "title": f"Smoke test {name}", "panels": [{**panel, "targets": [_target(expression)]}]}
    try:
        grafana.post("/api/dashboards/db", json={"dashboard": model, "overwrite": False}).raise_for_status()
        try:
            found = grafana.get(f"/api/dashboards/uid/{uid}").raise_for_status().json()["dashboard"]
            return _seen("dashboard", grafana, found["panels"][0]["targets"][0], hint)
        finally:
            grafana.delete(f"/api/dashboards/uid/{uid}").raise_for_status()
    except (httpx.HTTPError, KeyError, IndexError) as error:
        expected = "Grafana takes a dashboard, gives it back, and removes it"
        return Check.fail("dashboard", f"{type(error).__name__}: {error}", expected=expected, hint=hint)
