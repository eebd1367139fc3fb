"""Alertmanager itself, with a stack's configuration: what keeps what quiet."""

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from config.alertmanager import alertmanager_files
from config.project import ROOT
from config.settings import Settings
from tests.processes import alertmanager, fire, wait_for
from tests.routing.stacks import DEMO, PRIMARY, REPLICA, WATCHDOG, labels, settings
from tests.unit.test_settings import SECRETS

EXISTING = {"postgresHost": "db.example", "redisHost": "cache.example", "noReceivers": "true", **SECRETS}


def quiet(stack: Settings, directory: Path, *alerts: Mapping[str, str]) -> set[str]:
    """The names of those among the firing alerts, beside which the Watchdog always fires, that another keeps quiet."""
    with alertmanager(stack, directory) as url:
        fire(url, WATCHDOG, *alerts)
        wait_for(lambda: len(states(url)) == 1 + len(alerts))
        # A source takes effect a moment after it was taken up: the answer counts once it no longer changes.
        found, since = states(url), time.monotonic()
        while time.monotonic() - since < 0.5:
            time.sleep(0.05)
            if (now := states(url)) != found:
                found, since = now, time.monotonic()
    return {name for name, silenced in found.items() if silenced}


Quiet = Callable[..., set[str]]


@pytest.fixture
def quiet_in_a_demo(tmp_path: Path) -> Quiet:
    """`quiet` of the alerts it is given, in a demo stack."""
    return partial(quiet, settings(DEMO), tmp_path)


def states(url: str) -> dict[str, bool]:
    """alertname and instance -> whether another alert keeps it quiet."""
    return {
        " ".join(filter(None, (alert["labels"]["alertname"], alert["labels"].get("instance")))): bool(
            alert["status"]["inhibitedBy"]
        )
        for alert in httpx.get(f"{url}/api/v2/alerts").json()
    }


DEADLOCKS = labels("PostgreSQLDeadlocks", "P2", "database", instance=PRIMARY, job="postgres")
CACHE_MISSES = labels("PostgreSQLLowCacheHitRatio", "P3", "database", instance=PRIMARY)
CONNECTIONS = labels("PostgreSQLTooManyConnections", "P1", "database", instance=PRIMARY)
API_BURNS_FAST = labels("APIErrorBudgetBurnFast", "P1", "api_gateway", job="kong", service="kong")
API_BURNS_SLOW = labels("APIErrorBudgetBurnSlow", "P2", "api_gateway", job="kong", service="kong")
WEBSOCKET_ERRORS = labels("WebSocketHighErrorRate", "P2", "websocket", instance="websocket:8081", service="websocket")
HOST_DOWN = labels("ServiceDown", "P1", "system", instance="docker-host", job="node", service="host")


# Inhibition


def test_a_p1_silences_p2_and_p3_of_the_same_component_and_instance(quiet_in_a_demo: Quiet) -> None:
    assert quiet_in_a_demo(
        CONNECTIONS,
        DEADLOCKS,
        CACHE_MISSES,
        labels("PostgreSQLHighReplicationLag", "P1", "database", instance=PRIMARY),
        labels("PostgreSQLDeadlocks", "P2", "database", instance=REPLICA),
        labels("RedisHighEvictionRate", "P2", "redis", instance=PRIMARY),
    ) == {f"PostgreSQLDeadlocks {PRIMARY}", f"PostgreSQLLowCacheHitRatio {PRIMARY}"}


def test_a_fast_burning_budget_silences_the_slow_one_and_nothing_of_a_single_instance(quiet_in_a_demo: Quiet) -> None:
    assert quiet_in_a_demo(
        API_BURNS_FAST,
        API_BURNS_SLOW,
        labels("KongHighLatency", "P2", "api_gateway", instance="kong:8100", service="kong"),
        labels("WebSocketErrorBudgetBurnSlow", "P2", "websocket", job="websocket", service="websocket"),
    ) == {"APIErrorBudgetBurnSlow"}


def test_a_p2_silences_nothing(quiet_in_a_demo: Quiet) -> None:
    assert not quiet_in_a_demo(DEADLOCKS, CACHE_MISSES)


def test_an_end_of_support_is_told_whatever_fails_at_one_service_of_the_monitoring(quiet_in_a_demo: Quiet) -> None:
    ended = labels("ComponentEndOfSupport", "P2", "monitoring", service="prometheus", version="3.5.1")
    failing = labels("PrometheusNotIngesting", "P1", "monitoring", instance="prometheus:9090", service="prometheus")
    assert quiet_in_a_demo(ended, failing) == set()


def test_alerts_without_a_component_do_not_silence_each_other(quiet_in_a_demo: Quiet) -> None:
    assert not quiet_in_a_demo(
        {"alertname": "SomebodysWorst", "priority": "P1"},
        {"alertname": "SomebodysOther", "priority": "P2"},
    )


def test_a_missing_exporter_silences_what_it_would_have_measured(quiet_in_a_demo: Quiet) -> None:
    assert quiet_in_a_demo(
        labels("ServiceDown", "P1", "database", instance=PRIMARY, job="postgres", service="postgres"),
        CONNECTIONS,
        DEADLOCKS,
        # It says itself that the server is gone: two faults.
        labels("PostgreSQLDown", "P1", "database", instance=PRIMARY, job="postgres", service="postgres"),
        # Another exporter measures it.
        labels("PostgreSQLHighReplicationLag", "P1", "database", instance=REPLICA),
    ) == {f"PostgreSQLTooManyConnections {PRIMARY}", f"PostgreSQLDeadlocks {PRIMARY}"}


def test_what_is_down_silences_what_sums_over_its_job_would_say_below_p1(quiet_in_a_demo: Quiet) -> None:
    assert quiet_in_a_demo(
        labels("ServiceDown", "P1", "business", instance="app:8082", job="application", service="application"),
        labels("NoEventsProcessed", "P2", "business", job="application", service="application"),
        labels("LowSubscriptionRate", "P3", "business", job="application", service="application"),
        labels("KongDown", "P1", "api_gateway", instance="kong:8100", job="kong", service="kong"),
        API_BURNS_FAST,
        DEADLOCKS,
    ) == {"NoEventsProcessed", "LowSubscriptionRate"}


def test_what_is_down_silences_nothing_of_another_component_at_the_same_address(quiet_in_a_demo: Quiet) -> None:
    assert not quiet_in_a_demo(
        labels("RedisDown", "P1", "redis", instance="backend:1"),
        labels("PostgreSQLTooManyConnections", "P1", "database", instance="backend:1"),
    )


def test_what_is_down_silences_no_sum_over_another_job_or_component(quiet_in_a_demo: Quiet) -> None:
    assert not quiet_in_a_demo(
        labels("ServiceDown", "P1", "business", instance="app:8082", job="application"),
        labels("NoEventsProcessed", "P2", "business", job="other"),
        labels("SomebodysSum", "P2", "api_gateway", job="application"),
    )


def test_an_alert_without_priority_neither_silences_nor_is_silenced(quiet_in_a_demo: Quiet) -> None:
    assert not quiet_in_a_demo({"alertname": "SomebodysOwn", "component": "database", "instance": PRIMARY}, DEADLOCKS)
    assert not quiet_in_a_demo({"alertname": "SomebodysOwn", "component": "database", "instance": PRIMARY}, CONNECTIONS)


def test_what_is_down_needs_a_component_and_an_instance_to_silence_anything(tmp_path: Path) -> None:
    stack = settings(DEMO)
    nowhere = {"priority": "P1", "instance": "somewhere:1"}
    assert not quiet(
        stack, tmp_path / "component", {"alertname": "TheirsDown", **nowhere}, {"alertname": "TheirsSlow", **nowhere}
    )
    everywhere = {"priority": "P1", "component": "database"}
    assert not quiet(
        stack, tmp_path / "instance", {"alertname": "OursDown", **everywhere}, {"alertname": "OursSlow", **everywhere}
    )


def everything_on_the_host() -> list[dict[str, str]]:
    """An alert of every kind that may fire while the host is down."""
    return [
        HOST_DOWN,
        labels("ServiceDown", "P1", "docker", instance="cadvisor", job="cadvisor", service="docker"),
        labels("ServiceDown", "P1", "monitoring", instance="loki:3100", job="loki", service="loki"),
        labels("PostgreSQLDown", "P1", "database", instance=PRIMARY, job="postgres"),
        labels("KongDown", "P1", "api_gateway", instance="kong:8100", job="kong"),
        labels("ContainerGone", "P2", "docker", instance="docker-host"),
        labels("NoEventsProcessed", "P2", "business", job="application"),
        # It was measured, so its service runs, and so does the host.
        labels("RedisHighMemoryUsage", "P1", "redis", instance="redis:6379"),
    ]


def test_a_host_that_is_down_silences_what_runs_on_it(tmp_path: Path) -> None:
    everything = {
        "ServiceDown cadvisor",
        "ServiceDown loki:3100",
        f"PostgreSQLDown {PRIMARY}",
        "KongDown kong:8100",
        "ContainerGone docker-host",
        "NoEventsProcessed",
    }
    assert quiet(settings(DEMO), tmp_path / "demo", *everything_on_the_host()) == everything
    joined = settings(EXISTING, dockerNetwork="supabase_default")
    assert quiet(joined, tmp_path / "joined", *everything_on_the_host()) == everything


def test_a_host_that_is_down_does_not_silence_a_backend_elsewhere(tmp_path: Path) -> None:
    assert quiet(settings(EXISTING), tmp_path, *everything_on_the_host()) == {
        "ServiceDown cadvisor",
        "ServiceDown loki:3100",
        "ContainerGone docker-host",
    }


def test_of_the_share_of_errors_and_the_budget_one_speaks(quiet_in_a_demo: Quiet) -> None:
    """Half of the API's requests fail, and a third of the messages: one page each."""
    assert quiet_in_a_demo(
        labels("KongHighErrorRate", "P1", "api_gateway", instance="kong:8100", service="kong"),
        API_BURNS_FAST,
        API_BURNS_SLOW,
        WEBSOCKET_ERRORS,
        labels("WebSocketErrorBudgetBurnFast", "P1", "websocket", job="websocket", service="websocket"),
        labels("WebSocketHighLatency", "P2", "websocket", instance="websocket:8081", service="websocket"),
    ) == {"APIErrorBudgetBurnFast", "APIErrorBudgetBurnSlow", "WebSocketHighErrorRate websocket:8081"}


def test_a_budget_that_burns_without_a_high_share_of_errors_is_told(quiet_in_a_demo: Quiet) -> None:
    assert not quiet_in_a_demo(API_BURNS_FAST, WEBSOCKET_ERRORS)


def test_what_one_end_of_the_log_pipeline_misses_is_told_by_the_other_that_is_gone(tmp_path: Path) -> None:
    loki, promtail = (
        labels("ServiceDown", "P1", "monitoring", instance=instance, job=job, service=job)
        for job, instance in (("loki", "loki:3100"), ("promtail", "promtail:9080"))
    )
    stopped = labels("LogPipelineStopped", "P2", "monitoring", instance="edge:3100", service="loki")
    shipper = labels("LogShipperStopped", "P2", "monitoring", instance="edge:9080", job="promtail")
    assert quiet(settings(DEMO), tmp_path / "loki", loki, stopped, shipper) == {"LogShipperStopped edge:9080"}
    assert quiet(settings(DEMO), tmp_path / "promtail", promtail, stopped, shipper) == {"LogPipelineStopped edge:3100"}
    elsewhere = [{**alert, "component": "elsewhere"} for alert in (stopped, shipper)]
    assert not quiet(settings(DEMO), tmp_path / "elsewhere", loki, promtail, *elsewhere)


def test_an_alert_that_is_over_silences_nothing(tmp_path: Path) -> None:
    with alertmanager(settings(DEMO), tmp_path) as url:
        fire(url, CONNECTIONS, DEADLOCKS)
        wait_for(lambda: states(url).get(f"PostgreSQLDeadlocks {PRIMARY}"))
        fire(url, CONNECTIONS, over=True)
        wait_for(lambda: states(url) == {f"PostgreSQLDeadlocks {PRIMARY}": False})


# What the rules and the configuration know of each other


def alert_rules() -> list[dict[str, Any]]:
    """Every alert of the rule files."""
    files = (ROOT / "config/prometheus/rules").glob("*.yml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_the_alerts_that_are_taken_for_a_service_that_is_gone_are_these() -> None:
    names = {rule["alert"] for rule in alert_rules() if re.fullmatch(".+Down", rule["alert"])}
    assert names == {"ServiceDown", "PostgreSQLDown", "RedisDown", "KongDown", "WebSocketServerDown", "RealtimeDown"}


def test_every_component_of_the_rules_is_the_host_or_runs_on_it() -> None:
    stack = settings(DEMO)
    rules = yaml.safe_load(alertmanager_files(stack)["alertmanager.yml"])["inhibit_rules"]
    (on_host,) = {matcher for rule in rules for matcher in rule["target_matchers"] if matcher.startswith("component=~")}
    components = {rule["labels"]["component"] for rule in alert_rules() if "component" in rule["labels"]}
    assert components - {"system"} == set(on_host.removeprefix('component=~"').rstrip('"').split("|"))
