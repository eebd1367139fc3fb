"""No rule is dead: against a running stack, all that a rule selects is there.

A rule over a metric, a label or a value that nothing serves never fires, and no test with invented series can tell. So
every selector of every rule, and of every query in a runbook, is looked up in a Prometheus that scrapes the real
exporters. What only another kind of stack has is listed below, with the reason.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import pytest

from config.prometheus import prometheus_files
from tests.rules.reading import RUNBOOKS, dev, rules_of

pytestmark = pytest.mark.live

_PROMTAIL = "the log agent is Alloy"
_GRAFANA = "Grafana is not to be had from package mirrors"
_RULER = "Loki makes the series with the first rule on logs that it evaluates"
_QUOTA = "no container of the demo has a CPU quota"

# Metric -> why a demo stack may have no series of it.
NOT_HERE = {
    **dict.fromkeys(
        [
            *("promtail_sent_entries_total", "promtail_dropped_entries_total", "promtail_targets_active_total"),
            "promtail_batch_retries_total",
        ],
        _PROMTAIL,
    ),
    "loki_discarded_samples_total": "Loki makes the series with the first line that it refuses",
    "loki_prometheus_rule_evaluation_failures_total": _RULER,
    "loki_prometheus_notifications_errors_total": _RULER,
    "container_spec_cpu_quota": _QUOTA,
    "container_cpu_cfs_periods_total": _QUOTA,
    "container_cpu_cfs_throttled_periods_total": _QUOTA,
    "instance_name:container_cpu_throttled:ratio_rate5m": _QUOTA,
    "instance:node_swap_utilisation:ratio": "a host without swap has no ratio",
    "grafana_http_request_duration_seconds_count": _GRAFANA,
    "grafana_datasource_request_total": _GRAFANA,
    "grafana_build_info": _GRAFANA,
    "probe_ssl_earliest_cert_expiry": "the demo's endpoint speaks no TLS",
}
# (label, value) -> why no series may have it.
NO_SUCH_VALUE = {
    ("job", "grafana"): _GRAFANA,
    ("job", "promtail"): _PROMTAIL,
    ("status_code", "5.."): "Loki has failed no request yet",
    ("name", "monitoring-.+-smoke-[0-9a-f]{8}"): "there is such a container only while a smoke test runs",
    # tests/engine/test_notifications.py has a stack with receivers, and looks for their series there.
    ("receiver_name", "smoke"): "the rule leaves out the one receiver that this stack has",
}
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Selector:
    """What an expression selects: a metric, matchers (name, kind, value), and the labels that it groups or joins by."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    labels: frozenset[str]

    def matched_by(self, labels: Labels) -> bool:
        """Whether a series of the metric is selected."""
        return all(_holds(kind, value, labels.get(name, "")) for name, kind, value in self.matchers)

    def __str__(self) -> str:
        return f"{self.metric}{{{','.join(f'{name}{kind}{value!r}' for name, kind, value in self.matchers)}}}"


class Live:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=60)

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        answer = self._client.get(path, params=parameters).raise_for_status().json()
        assert answer["status"] == "success"
        return answer["data"]

    @cache  # noqa: B019 - one object for all tests, gone with them
    def series(self, metric: str) -> list[Labels]:
        """The label sets of a metric's series of the last hour; with a regex of the name where it holds a `.+`."""
        matcher = f'{{__name__=~"{metric}"}}' if ".+" in metric else f'{{__name__="{metric}"}}'
        now = float(self.ask("query", query="time()")["result"][0])
        found: list[Labels] = self.ask("series", **{"match[]": matcher, "start": str(now - 3600), "end": str(now)})
        return found

    def value(self, query: str) -> float:
        """The one value of an instant query."""
        return float(self.ask("query", query=query)["result"][0]["value"][1])

    def selectors(self, expression: str) -> list[Selector]:
        """What an expression selects, as Prometheus itself parses it."""
        return list(_selectors(self.ask("parse_query", query=expression), frozenset()))


# Seconds that a stack which has just started may take until each of its series is there.
_PATIENCE = 420


@pytest.fixture(scope="module")
def live(prometheus_url: str) -> Live:
    deadline = time.monotonic() + _PATIENCE
    # A new object each time, as one remembers what it has seen.
    while time.monotonic() < deadline and _dead(Live(prometheus_url)):
        time.sleep(20)
    return Live(prometheus_url)


def _dead(live: Live) -> list[str]:
    """What a rule selects, or records, and is not there."""
    rules = list(rules_of(prometheus_files(dev())))
    problems = [
        f"{rule.name}: {problem}"
        for rule in rules
        for selector in live.selectors(rule.body["expr"])
        for problem in _problems(live, selector)
    ]
    records = {rule.name for rule in rules if not rule.is_alert}
    return problems + [name for name in records if name not in NOT_HERE and not live.series(name)]


def _holds(kind: str, wanted: str, value: str) -> bool:
    match = bool(re.fullmatch(wanted, value)) if "~" in kind else wanted == value
    return not match if kind.startswith("!") else match


def _selectors(node: Any, labels: frozenset[str]) -> Iterator[Selector]:
    """Walks a parsed expression, taking along the labels that it is grouped or joined by."""
    if isinstance(node, list):
        for each in node:
            yield from _selectors(each, labels)
    if not isinstance(node, dict):
        return
    if node.get("type") in ("vectorSelector", "matrixSelector"):
        matchers = tuple((m["name"], m["type"], m["value"]) for m in node["matchers"] if m["name"] != "__name__")
        named = [m["value"] for m in node["matchers"] if m["name"] == "__name__"]
        yield Selector(named[0] if named else ".+", matchers, labels)
        return
    if node.get("type") == "call" and node["func"]["name"] == "scalar":
        labels = frozenset()
    if node.get("type") == "call" and node["func"]["name"] == "label_replace":
        # What it makes need not be there before.
        labels = labels - {node["args"][1]["val"]}
    if node.get("type") == "aggregation":
        # Grouping hides the labels that are asked for further out; what is left out by it may be missing.
        labels = labels if node["without"] else frozenset(node["grouping"])
    matching = node.get("matching") or {}
    if matching.get("on"):
        labels = labels | frozenset(matching["labels"])
    for key, child in node.items():
        if key not in ("matching", "grouping"):
            yield from _selectors(child, labels)


def _problems(live: Live, selector: Selector) -> Iterator[str]:
    if selector.metric in NOT_HERE:
        return
    series = live.series(selector.metric)
    if not series:
        yield f"{selector.metric}: no such metric"
        return
    names = {name for labels in series for name in labels}
    for name in {name for name, _, _ in selector.matchers} | selector.labels:
        if name not in names:
            yield f"{selector.metric}: no series has the label {name}"
    for name, kind, value in selector.matchers:
        if kind.startswith("!"):
            continue
        # Each alternative of a plain list must be there, or it is a misspelling.
        plain = kind == "=~" and re.fullmatch(r"[\w.\-]+(\|[\w.\-]+)*", value)
        for each in value.split("|") if plain else [value]:
            if (name, each) not in NO_SUCH_VALUE and not any(_holds(kind, each, s.get(name, "")) for s in series):
                yield f"{selector.metric}: no series has {name}{kind}{each!r}"
    unusual = any((name, value) in NO_SUCH_VALUE for name, _, value in selector.matchers)
    if not unusual and not any(selector.matched_by(labels) for labels in series):
        yield f"{selector}: matches no series"


def test_every_selector_of_every_rule_is_alive(live: Live) -> None:
    problems = []
    for rule in rules_of(prometheus_files(dev())):
        for selector in live.selectors(rule.body["expr"]):
            problems += [f"{rule.name}: {problem}" for problem in _problems(live, selector)]
    assert not problems, "\n".join(sorted(set(problems)))


def test_every_recording_rule_yields_series(live: Live) -> None:
    names = {rule.name for rule in rules_of(prometheus_files(dev())) if not rule.is_alert}
    assert sorted(name for name in names if name not in NOT_HERE and not live.series(name)) == []


def test_every_query_of_the_runbooks_is_alive(live: Live) -> None:
    problems = []
    for page in sorted(RUNBOOKS.glob("*.md")):
        text = page.read_text()
        for block in re.findall(r"^ *```promql\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            for query in filter(None, (part.strip() for part in re.split(r"\n\s*\n", block))):
                for selector in live.selectors(query):
                    problems += [f"{page.name}: {problem}" for problem in _problems(live, selector)]
    assert not problems, "\n".join(sorted(set(problems)))


def test_exceptions_are_still_needed(live: Live) -> None:
    """An exception for what is there by now hides the day when it is gone."""
    may_come = {"loki_discarded_samples_total", "instance:node_swap_utilisation:ratio"}
    here = {metric for metric in NOT_HERE if live.series(metric)}
    excused = {metric for metric, reason in NOT_HERE.items() if reason in (_GRAFANA, _RULER)} | may_come
    assert here - excused == set()


def test_every_rule_is_healthy(live: Live) -> None:
    groups = live.ask("rules")["groups"]
    sick = [
        (rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"] if rule.get("lastError")
    ]
    assert sick == []


def test_rules_are_cheap(live: Live) -> None:
    """All groups together take less than a twentieth of the time there is, and none was ever too late."""
    share = live.value(
        "sum(avg_over_time(prometheus_rule_group_last_duration_seconds[15m]) / prometheus_rule_group_interval_seconds)"
    )
    print(f"share of time spent in rules: {share:.2%}; series: {live.value('prometheus_tsdb_head_series'):.0f}")
    assert share < 0.05
    assert live.value("sum(increase(prometheus_rule_group_iterations_missed_total[15m]))") == 0
