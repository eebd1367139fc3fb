"""Every query of every panel, asked of the real Prometheus, Loki and Alertmanager of a running stack.

The stack is the one that the engine tests bring up, or one whose addresses stand in MONITORING_PROMETHEUS_URL,
MONITORING_LOKI_URL and MONITORING_ALERTMANAGER_URL.
"""

import json
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import docker
import httpx
import pytest
import yaml

from dashboards.links import to_request
from tests.unit.drawn import Json, Query, dashboards, dev_settings, panels, queries

pytestmark = pytest.mark.live

# Seconds until a stack that has just come up has two minutes of samples, and the rules that read them.
_PATIENCE = 300

# Panels that are empty while all is well. They are asked for the alert that always fires in place of the others.
EMPTY_WHEN_QUIET = {"Firing now"}

# Panels whose value is no number where there is nothing to divide, and why that is right.
MAY_BE_NO_NUMBER = {
    "api-gateway / Routes": "a route without requests within the last minute has no error rate and no percentile",
}

# Units whose values lie within these bounds.
BOUNDS = {"percentunit": (0.0, 1.0)}
# What may be below zero, and why.
SIGNED: dict[str, str] = {}
# Ratios that may exceed 1, and why.
ABOVE_ONE: dict[str, str] = {}

Series = list[tuple[dict[str, str], list[float]]]


class Stack:
    """The three services that the dashboards ask."""

    def __init__(self, prometheus: str, loki: str, alertmanager: str) -> None:
        self._urls = {"prometheus": prometheus, "loki": loki, "alertmanager": alertmanager}
        self._client = httpx.Client(timeout=60)

    def get(self, service: str, path: str, **parameters: Any) -> Any:
        """The JSON that a service answers."""
        response = self._client.get(self._urls[service] + path, params=parameters)
        assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text}"
        return response.json()

    def ask(self, query: Query) -> Series:
        """What a query gives, as Grafana would ask it: now, or every 15 seconds of the last ten minutes."""
        now = time.time()
        if query.source == "loki":
            return self.lines(query.expr) if query.expr.startswith("{") else self._range(query.expr, "loki", now)
        if query.instant:
            found = self.get("prometheus", "/api/v1/query", query=query.expr)["data"]["result"]
            return [(each["metric"], [float(each["value"][1])]) for each in found]
        return self._range(query.expr, "prometheus", now)

    def lines(self, selector: str) -> Series:
        """The streams that a LogQL selector finds within the last hour, with how many of their lines were given."""
        now = time.time_ns()
        parameters = {"query": selector, "start": now - 3600 * 10**9, "end": now, "limit": 50}
        found = self.get("loki", "/loki/api/v1/query_range", **parameters)["data"]["result"]
        return [(each["stream"], [float(len(each["values"]))]) for each in found]

    def _range(self, expr: str, service: str, now: float) -> Series:
        path = {"prometheus": "/api/v1/query_range", "loki": "/loki/api/v1/query_range"}[service]
        found = self.get(service, path, query=expr, start=now - 600, end=now, step="15s")["data"]["result"]
        return [(each["metric"], [float(value) for _, value in each["values"]]) for each in found]


@pytest.fixture(scope="module")
def live(request: pytest.FixtureRequest) -> Stack:
    """The running stack, with the samples that its rules need."""
    urls = [os.environ.get(f"MONITORING_{name}_URL", "") for name in ("PROMETHEUS", "LOKI", "ALERTMANAGER")]
    if not all(urls):
        deployment = request.getfixturevalue("stack")
        urls = [deployment.url(service) for service in ("prometheus", "loki", "alertmanager")]
    stack = Stack(*urls)
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and any(not stack.ask(query) for query in asked()):
        time.sleep(10)
    return stack


def asked() -> list[Query]:
    """The queries of all panels; those about alerts ask for the one that always fires."""
    return [always_firing(query) if query.panel in EMPTY_WHEN_QUIET else query for query in queries()]


def always_firing(query: Query) -> Query:
    expr = re.sub(r'priority=~?"P.?"', 'priority="none"', query.expr)
    expr = re.sub(r'component=~"[^"]*"', 'component="monitoring"', expr)
    assert expr != query.expr
    return replace(query, expr=expr)


@pytest.mark.parametrize("query", [pytest.param(query, id=str(query)[:110]) for query in asked()])
def test_a_query_returns_plausible_data(live: Stack, query: Query) -> None:
    found = live.ask(query)
    assert found, f"no data: {query.expr}"
    place = f"{query.dashboard} / {query.panel}"
    for labels, values in found:
        last = values[-1]
        if math.isnan(last) and place in MAY_BE_NO_NUMBER:
            continue
        assert math.isfinite(last), f"{labels}: {last}"
        low, high = BOUNDS.get(query.unit, (0.0, math.inf))
        assert last >= low or place in SIGNED, f"{labels}: {last} {query.unit}"
        assert last <= high * 1.0001 or place in ABOVE_ONE, f"{labels}: {last} {query.unit}"


def percentile_panels() -> Iterator[tuple[str, list[Query]]]:
    names = {f"{query.dashboard} / {query.panel}" for query in queries() if query.legend.startswith("P99")}
    for name in sorted(names):
        yield name, [query for query in queries() if f"{query.dashboard} / {query.panel}" == name]


@pytest.mark.parametrize(("name", "three"), [pytest.param(n, t, id=n) for n, t in percentile_panels()])
def test_percentiles_are_ordered(live: Stack, name: str, three: list[Query]) -> None:
    assert [query.legend[:3] for query in three] == ["P50", "P95", "P99"]
    p50, p95, p99 = (live.ask(query)[0][1][-1] for query in three)
    assert 0 < p50 <= p95 <= p99 < 60


def choices() -> Iterator[tuple[str, Json]]:
    for uid, dashboard in dashboards().items():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield uid, variable


@pytest.mark.parametrize(("uid", "variable"), [pytest.param(u, v, id=f"{u} {v['name']}") for u, v in choices()])
def test_a_panel_has_data_for_each_value_that_can_be_chosen(live: Stack, uid: str, variable: Json) -> None:
    selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
    values = live.get("prometheus", f"/api/v1/label/{label}/values", **{"match[]": selector})["data"]
    assert values
    for value in values:
        for query in queries(choices={variable["name"]: value}):
            if query.dashboard == uid and f"${variable['name']}" in query.raw:
                assert live.ask(query), f"{value}: {query.expr}"


def test_the_rules_that_fire_can_be_asked_for(live: Stack) -> None:
    """As Grafana does for its list of alerts: of Prometheus and of Loki."""
    assert [panel for page in dashboards().values() for panel in panels(page) if panel["type"] == "alertlist"]
    groups = live.get("prometheus", "/api/v1/rules", type="alert")["data"]["groups"]
    firing = {rule["name"] for group in groups for rule in group["rules"] if rule["state"] == "firing"}
    assert "Watchdog" in firing
    assert live.get("loki", "/prometheus/api/v1/rules")["status"] == "success"


def legends() -> Iterator[tuple[str, list[str]]]:
    text = (Path(__file__).parents[1] / "unit/legends.yaml").read_text()
    yield from sorted(yaml.safe_load(text).items())


def named(legend: str, labels: dict[str, str]) -> str:
    """The name that Grafana gives a series with these labels."""
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match.group(1), ""), legend)


@pytest.mark.parametrize(("name", "expected"), [pytest.param(name, names, id=name) for name, names in legends()])
def test_a_legend_has_no_more_and_no_longer_names_than_there_is_room_for(
    live: Stack, engine: docker.DockerClient, name: str, expected: list[str]
) -> None:
    found = set()
    for query in queries():
        if f"{query.dashboard} / {query.panel}" == name:
            for labels, _ in live.ask(query):
                found.add(named(query.legend, labels))
    # What other tests started by hand, and smoke tests, is gone by now, and its lines will be.
    there = {container.name for container in engine.containers.list(all=True, ignore_removed=True)}
    found = {each for each in found if not each.startswith("monitoring-") or each in there}
    # A stack of another name has it in the names of its containers.
    found = {re.sub(r"^monitoring-[a-z]+(-\d+)?-", "monitoring-dev-", each) for each in found}
    assert len(found) <= len(expected), sorted(found)
    assert max(map(len, found)) <= max(map(len, expected)), sorted(found - set(expected))


def test_a_statement_on_rows_has_its_text_and_no_value_in_it(live: Stack) -> None:
    (query,) = [each for each in queries() if each.unit == "string" and "group_left (statement)" in each.expr]
    texts = [labels.get("statement", "") for labels, _ in live.ask(query)]
    assert any(text.lower().startswith("select") for text in texts)
    assert not any("'" in text or "/*" in text for text in texts)
    every = live.get("prometheus", "/api/v1/label/statement/values")["data"]
    assert not [text for text in every if "password" in text.lower() and "'" in text]


def test_the_demos_lines_are_shown_as_their_message(live: Stack) -> None:
    (query,) = [each for each in queries() if each.dashboard == "api-gateway" and each.panel == "Lines"]
    now = time.time_ns()
    answer = live.get("loki", "/loki/api/v1/query_range", query=query.expr, start=now - 3600 * 10**9, end=now, limit=50)
    lines = [line for stream in answer["data"]["result"] for _, line in stream["values"]]
    assert lines
    assert not [line for line in lines if line.startswith("{")]
    assert [line for line in lines if "route" in line and "status" in line and "request" in line]


def log_links() -> set[str]:
    """The LogQL of every link into the logs."""
    found = set()
    for text in re.findall(r'"(/explore\?left=[^"]+)"', json.dumps(list(dashboards().values()))):
        found.add(selector_of(text))
    return found


def selector_of(url: str) -> str:
    # What Grafana fills in is a word or a number.
    (left,) = parse_qs(urlsplit(re.sub(r"\$\{[\w.]+}", "0", url)).query)["left"]
    return str(json.loads(left)["queries"][0]["expr"])


@pytest.mark.parametrize("selector", sorted(log_links()))
def test_a_link_leads_to_logs_that_loki_can_find(live: Stack, selector: str) -> None:
    live.lines(selector)


def test_a_request_id_leads_to_the_other_lines_of_its_request(live: Stack) -> None:
    streams = live.lines('{service="demo"} | event="request_completed"')
    stack, request = next((stream["stack"], stream["request_id"]) for stream, _ in streams)
    settings = dev_settings(grafanaUrl="http://grafana.example")
    url = (
        to_request(settings)
        .url.replace("${__value.raw}", request)
        .replace("stack%3D%5C%22dev", f"stack%3D%5C%22{stack}")
    )
    found = live.lines(selector_of(url))
    assert {stream["event"] for stream, _ in found} >= {"request_received", "request_completed"}
    assert {stream["request_id"] for stream, _ in found} == {request}
