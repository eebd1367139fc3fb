"""Alertmanager itself, with a stack's configuration: what reaches whom, and what keeps what quiet."""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from config.alertmanager import alertmanager_files
from config.settings import ROOT, Settings, load
from tests.processes import alertmanager, fire, wait_for
from tests.unit.test_settings import SECRETS

DEMO = {"demo": "true", **SECRETS}
EXISTING = {"postgresHost": "db.example", "redisHost": "cache.example", **SECRETS}


def settings(values: Mapping[str, str], **changes: str) -> Settings:
    """The settings of a stack of these keys."""
    return load("dev", {**values, **changes}, environment={}, dotenv=Path("/nonexistent"))


def quiet(stack: Settings, directory: Path, *alerts: Mapping[str, str]) -> set[str]:
    """The names of those among the firing alerts that another one keeps quiet."""
    with alertmanager(stack, directory) as url:
        fire(url, *alerts)
        wait_for(lambda: len(states(url)) == len(alerts))
        # A source takes effect a moment after it was taken up: the answer counts once it no longer changes.
        found, since = states(url), time.monotonic()
        while time.monotonic() - since < 0.5:
            time.sleep(0.05)
            if (now := states(url)) != found:
                found, since = now, time.monotonic()
    return {name for name, silenced in found.items() if silenced}


def states(url: str) -> dict[str, bool]:
    """alertname and instance -> whether another alert keeps it quiet."""
    return {
        " ".join(filter(None, (alert["labels"]["alertname"], alert["labels"].get("instance")))): bool(
            alert["status"]["inhibitedBy"]
        )
        for alert in httpx.get(f"{url}/api/v2/alerts").json()
    }


def labels(name: str, priority: str, component: str, **more: str) -> dict[str, str]:
    """The labels of an alert as the rules make them."""
    return {"alertname": name, "priority": priority, "component": component, **more}


PRIMARY, REPLICA = "postgres:5432", "postgres-replica:5432"
WATCHDOG = labels("Watchdog", "none", "monitoring", service="prometheus")
DEADLOCKS = labels("PostgreSQLDeadlocks", "P2", "database", instance=PRIMARY, job="postgres")
CONNECTIONS = labels("PostgreSQLTooManyConnections", "P1", "database", instance=PRIMARY)
HOST_DOWN = labels("ServiceDown", "P1", "system", instance="docker-host", job="node", service="host")


# Inhibition


def test_a_p1_silences_p2_and_p3_of_the_same_component_and_instance(tmp_path: Path) -> None:
    assert quiet(
        settings(DEMO),
        tmp_path,
        CONNECTIONS,
        DEADLOCKS,
        labels("PostgreSQLLowCacheHitRatio", "P3", "database", instance=PRIMARY),
        labels("PostgreSQLHighReplicationLag", "P1", "database", instance=PRIMARY),
        labels("PostgreSQLDeadlocks", "P2", "database", instance=REPLICA),
        labels("RedisHighEvictionRate", "P2", "redis", instance=PRIMARY),
        WATCHDOG,
    ) == {f"PostgreSQLDeadlocks {PRIMARY}", f"PostgreSQLLowCacheHitRatio {PRIMARY}"}


def test_a_fast_burning_budget_silences_the_slow_one_and_nothing_of_a_single_instance(tmp_path: Path) -> None:
    assert quiet(
        settings(DEMO),
        tmp_path,
        labels("APIErrorBudgetBurnFast", "P1", "api_gateway", job="kong", service="kong"),
        labels("APIErrorBudgetBurnSlow", "P2", "api_gateway", job="kong", service="kong"),
        labels("KongHighLatency", "P2", "api_gateway", instance="kong:8100", service="kong"),
        labels("WebSocketErrorBudgetBurnSlow", "P2", "websocket", job="websocket", service="websocket"),
    ) == {"APIErrorBudgetBurnSlow"}


def test_a_p2_silences_nothing(tmp_path: Path) -> None:
    assert not quiet(
        settings(DEMO), tmp_path, DEADLOCKS, labels("PostgreSQLLowCacheHitRatio", "P3", "database", instance=PRIMARY)
    )


def test_an_end_of_support_is_told_whatever_fails_at_one_service_of_the_monitoring(tmp_path: Path) -> None:
    ended = labels("ComponentEndOfSupport", "P2", "monitoring", service="prometheus", version="3.5.1")
    failing = labels("PrometheusNotIngesting", "P1", "monitoring", instance="prometheus:9090", service="prometheus")
    assert quiet(settings(DEMO), tmp_path, ended, failing) == set()


def test_alerts_without_a_component_do_not_silence_each_other(tmp_path: Path) -> None:
    assert not quiet(
        settings(DEMO),
        tmp_path,
        {"alertname": "SomebodysWorst", "priority": "P1"},
        {"alertname": "SomebodysOther", "priority": "P2"},
    )


def test_a_missing_exporter_silences_what_it_would_have_measured(tmp_path: Path) -> None:
    assert quiet(
        settings(DEMO),
        tmp_path,
        labels("ServiceDown", "P1", "database", instance=PRIMARY, job="postgres", service="postgres"),
        CONNECTIONS,
        DEADLOCKS,
        # It says itself that the server is gone: two faults.
        labels("PostgreSQLDown", "P1", "database", instance=PRIMARY, job="postgres", service="postgres"),
        # Another exporter measures it.
        labels("PostgreSQLHighReplicationLag", "P1", "database", instance=REPLICA),
        WATCHDOG,
    ) == {f"PostgreSQLTooManyConnections {PRIMARY}", f"PostgreSQLDeadlocks {PRIMARY}"}


def test_what_is_down_silences_what_sums_over_its_job_would_say_below_p1(tmp_path: Path) -> None:
    assert quiet(
        settings(DEMO),
        tmp_path,
        labels("ServiceDown", "P1", "business", instance="app:8082", job="application", service="application"),
        labels("NoEventsProcessed", "P2", "business", job="application", service="application"),
        labels("LowSubscriptionRate", "P3", "business", job="application", service="application"),
        labels("KongDown", "P1", "api_gateway", instance="kong:8100", job="kong", service="kong"),
        labels("APIErrorBudgetBurnFast", "P1", "api_gateway", job="kong", service="kong"),
        labels("PostgreSQLDeadlocks", "P2", "database", instance=PRIMARY, job="postgres"),
        WATCHDOG,
    ) == {"NoEventsProcessed", "LowSubscriptionRate"}


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
        WATCHDOG,
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


# Notifications


class _Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it: (path, JSON)."""

    def __init__(self) -> None:
        received: list[tuple[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
                length = int(self.headers["Content-Length"])
                received.append((self.path, json.loads(self.rfile.read(length))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.received = received
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def channels() -> Iterator[_Receiver]:
    """A server in place of Slack and of the heartbeat's monitor."""
    server = _Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_slack_and_the_heartbeat_get_what_is_theirs_at_the_addresses_in_the_secret_files(
    channels: _Receiver, tmp_path: Path
) -> None:
    addresses = {"slackWebhookUrl": f"{channels.url}/slack", "heartbeatUrl": f"{channels.url}/heartbeat"}
    with alertmanager(settings(DEMO, **addresses), tmp_path) as url:
        fire(url, WATCHDOG, DEADLOCKS)
        wait_for(lambda: len(channels.received) == 2)
    received = dict(channels.received)
    assert [alert["labels"]["alertname"] for alert in received["/heartbeat"]["alerts"]] == ["Watchdog"]
    (message,) = received["/slack"]["attachments"]
    assert message["title"] == f"[P2 firing: 1] PostgreSQLDeadlocks on {PRIMARY} (dev)"
    assert "PostgreSQLDeadlocks happened.\nWhat: PostgreSQLDeadlocks (P2, firing)" in message["text"]
    assert message["color"] == "danger"


def test_the_components_with_a_route_of_their_own_make_one_message_of_several_alerts(
    channels: _Receiver, tmp_path: Path
) -> None:
    database = [
        labels(name, "P2", "database", instance=PRIMARY) for name in ("PostgreSQLDeadlocks", "PostgreSQLSlowQueries")
    ]
    redis = [
        labels(name, "P2", "redis", instance="redis:6379") for name in ("RedisHighEvictionRate", "RedisSnapshotTooOld")
    ]
    with alertmanager(settings(DEMO, slackWebhookUrl=f"{channels.url}/slack"), tmp_path) as url:
        fire(url, *database, *redis)
        wait_for(lambda: len(channels.received) >= 3)
    titles = sorted(message["attachments"][0]["title"] for _, message in channels.received)
    assert titles == [
        "[P2 firing: 1] RedisHighEvictionRate on redis:6379 (dev)",
        "[P2 firing: 1] RedisSnapshotTooOld on redis:6379 (dev)",
        f"[P2 firing: 2] database: 2 alerts on {PRIMARY} (dev)",
    ]
