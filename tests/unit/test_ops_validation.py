"""Validation of a stack of which little runs: what it says of what is missing, and of what is there."""

import dataclasses
import io
import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import docker
import pytest
from rich.console import Console

from config.logs.sources import SOURCES
from config.prometheus.jobs import scrape_jobs
from config.settings import Settings, load
from ops import report, validation
from ops.cli.reports import show_report
from ops.validation import Report, alertmanager, exporters, logs, prometheus, services, validate
from ops.validation.check import Check, answers
from tests import processes
from tests.unit.test_graph import SERVICES, settings_of
from tests.unit.test_settings import SECRETS

CATEGORIES = [
    *("service status", "service health", "prometheus", "alertmanager"),
    *("grafana", "log shipper", "exporters", "infrastructure"),
]


# Rules that have not been evaluated


@pytest.mark.parametrize(
    ("health", "age", "results"),
    [
        ("ok", 5, {"rules evaluate": "pass"}),
        ("unknown", 5, {"rules evaluate": "pass", "rules of availability": "skip"}),
        ("unknown", 61, {"rules evaluate": "fail"}),
        ("err", 5, {"rules evaluate": "fail"}),
    ],
)
def test_a_group_may_wait_for_its_first_turn_but_no_longer(health: str, age: int, results: dict[str, str]) -> None:
    groups = [
        {"name": "redis", "interval": 10, "rules": [{"name": "a", "health": "ok"}]},
        {"name": "availability", "interval": 60, "rules": [{"name": "b", "health": health, "lastError": "why"}]},
    ]
    found = by_name(prometheus.evaluation(groups, age, interval=10))
    assert {name: check.result for name, check in found.items()} == results
    assert health != "err" or found["rules evaluate"].detail == "b: why"
    # Groups of the common interval are waited for.
    groups[0]["rules"] = [{"name": "a", "health": "unknown"}]
    assert by_name(prometheus.evaluation(groups, age, interval=10))["rules evaluate"].result == "fail"


# A stack of which only Prometheus and Alertmanager run, and those reach nothing


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of such a stack."""
    stack = load(
        f"unit-{uuid.uuid4().hex[:8]}", {"demo": "true", **SECRETS}, environment={}, dotenv=Path("/nonexistent")
    )
    nothing = f"http://127.0.0.1:{processes.unused_port()}"
    with (
        processes.prometheus(stack, tmp_path_factory.mktemp("prometheus")) as prometheus_url,
        processes.alertmanager(stack, tmp_path_factory.mktemp("alertmanager")) as alertmanager_url,
    ):
        yield dataclasses.replace(
            stack,
            prometheus=dataclasses.replace(stack.prometheus, url=prometheus_url),
            alertmanager_url=alertmanager_url,
            loki_url=nothing,
            grafana=dataclasses.replace(stack.grafana, url=nothing),
        )


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    """Name -> check."""
    found = list(checks)
    named = {check.name: check for check in found}
    assert len(named) == len(found) or {check.result for check in found} == {"skip"}
    return named


def test_every_category_says_what_is_missing(alone: Settings, engine: docker.DockerClient) -> None:
    """And what was expected, and what to do; of that, the report keeps the cause: nothing runs."""
    seen = validation._run(CATEGORIES, alone, engine)
    failed = {name: [check for check in seen[name] if check.result == "fail"] for name in CATEGORIES}
    # The ground that services stand on is well where there are none.
    assert [name for name in CATEGORIES if failed[name]] == CATEGORIES[:-1]
    for checks in failed.values():
        assert all(check.expected and check.hint for check in checks), checks
    found = validate(alone, engine)
    assert list(found.categories) == CATEGORIES
    assert found.count("fail") == len(services.expected(alone)) == len(failed["service status"])
    assert "not judged, as this failed: service status, loki" in {
        check.detail for check in found.categories["log shipper"]
    }
    assert found.as_dict()["passed"] is False


def test_a_service_without_a_container_is_named(alone: Settings, engine: docker.DockerClient) -> None:
    found = by_name(services.status(alone, engine))
    assert set(found) == SERVICES["dev"]
    assert {check.result for check in found.values()} == {"fail"}
    assert found["loki"].detail == f"there is no container monitoring-{alone.stack}-loki"


def test_an_interface_that_does_not_answer_is_named_with_its_address(
    alone: Settings, engine: docker.DockerClient
) -> None:
    found = by_name(services.health(alone, engine))
    assert found["prometheus answers"].result == "pass"
    assert found["alertmanager answers"].result == "pass"
    assert found["loki answers"].result == "fail"
    assert found["loki answers"].detail.startswith(f"{alone.loki_url}/ready: ")


def test_a_target_that_is_not_up_is_named_with_the_reason(alone: Settings, engine: docker.DockerClient) -> None:
    processes.wait_for(lambda: "; postgres:5432: " in by_name(prometheus.checks(alone, engine))["job postgres"].detail)
    found = by_name(prometheus.checks(alone, engine))
    assert found["job postgres"].result == "fail"
    assert found["job postgres"].detail.startswith("0 of 2 targets up; ")
    for job in scrape_jobs(alone):
        assert found[f"job {job.name}"].result == "fail", job.name


def test_the_rules_of_the_stack_are_loaded(alone: Settings, engine: docker.DockerClient) -> None:
    found = by_name(prometheus.checks(alone, engine))
    assert found["rules loaded"].result == "pass", found["rules loaded"].detail
    assert found["alerts have a way out"] == Check("alerts have a way out", "pass", "1 of 1 Alertmanager")


def test_a_rule_that_prometheus_has_not_is_named(alone: Settings, engine: docker.DockerClient) -> None:
    more = dataclasses.replace(alone, thresholds={**alone.thresholds, "not_there:ratio": 1.0})
    found = by_name(prometheus.checks(more, engine))["rules loaded"]
    assert found.result == "fail"
    assert "missing: ['threshold:not_there:ratio']" in found.detail


def test_an_exporter_without_its_key_metrics_fails(alone: Settings, engine: docker.DockerClient) -> None:
    found = by_name(exporters.checks(alone, engine))
    detail = "0 series of 0 of 2 targets; none of postgres-replica:5432, postgres:5432"
    assert (found["postgres: pg_up"].result, found["postgres: pg_up"].detail) == ("fail", detail)
    assert {check.result for check in found.values()} == {"fail"}


def test_a_log_shipper_that_does_not_tell_what_it_dropped_fails(alone: Settings) -> None:
    """Where the counter itself is not there, nothing is known; it is no zero."""
    found = logs.nothing_dropped(alone)
    assert found.result == "fail"
    assert found.detail == 'Prometheus has no loki_write_dropped_entries_total{job="alloy"}'


def test_alertmanager_is_well_once_the_watchdog_arrives(alone: Settings, engine: docker.DockerClient) -> None:
    found = by_name(alertmanager.checks(alone, engine))
    assert found["configuration loaded"].result == "pass"
    assert found["receivers"] == Check("receivers", "pass", "P1, P1-email, P2, P2-email, P3, heartbeat, smoke")
    assert found["notifications to P1 by slack"].result == "pass"
    processes.fire(alone.alertmanager_url, {"alertname": "Watchdog", "priority": "none"})
    processes.wait_for(lambda: by_name(alertmanager.checks(alone, engine))["Watchdog arrives"].result == "pass")


def test_a_channel_that_is_not_configured_is_left_out_and_not_failed(
    alone: Settings, engine: docker.DockerClient
) -> None:
    silent = dataclasses.replace(alone, alerting=dataclasses.replace(alone.alerting, slack_webhook_url=None))
    left_out = [check.detail for check in alertmanager.checks(silent, engine) if check.result == "skip"]
    assert "no notifications to Slack (P1, P2, P3): slackWebhookUrl is not set" in left_out


def test_a_stack_without_grafana_is_not_failed_for_it(alone: Settings, engine: docker.DockerClient) -> None:
    without = dataclasses.replace(alone, grafana=dataclasses.replace(alone.grafana, mode="none"))
    assert {check.result for check in validate(without, engine).categories["grafana"]} == {"skip"}
    assert "grafana" not in services.expected(without)


# What must run is what the program declares


@pytest.mark.parametrize("stack", ["dev", "pr-7", "prod"])
def test_the_expected_services_are_those_that_are_declared(stack: str) -> None:
    assert set(services.expected(settings_of(stack))) == SERVICES[stack]
    changed = settings_of(stack, logAgent="promtail", grafanaMode="none")
    assert set(services.expected(changed)) == (SERVICES[stack] | {"promtail"}) - {"alloy", "grafana"}


def test_each_source_says_what_was_expected_and_what_came() -> None:
    came = {"postgres": 12.0, "kong-access": 3.0}
    found = by_name(logs.arrivals(SOURCES, came, demo=True))
    assert found["lines of postgres"] == Check(
        "lines of postgres", "pass", "12 lines in 15m, expected at least one in 15 minutes"
    )
    assert found["lines of kong-access"] == Check("lines of kong-access", "pass", "3 lines in 15m")
    assert found["lines of application"].result == "fail"
    assert found["lines of redis"].result == "skip"
    elsewhere = by_name(logs.arrivals(SOURCES, came, demo=False))
    assert {check.result for check in elsewhere.values()} == {"pass", "skip"}


# An address that answers


class _Server(BaseHTTPRequestHandler):
    """Answers with the status that the path says."""

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a small server."""
    found = HTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


def test_an_address_answers_when_it_says_so_with_success(server: str) -> None:
    assert answers("it", f"{server}/200") == Check("it", "pass", f"{server}/200")
    assert answers("it", f"{server}/503").result == "fail"
    assert "503" in answers("it", f"{server}/503").detail
    assert answers("it", f"http://127.0.0.1:{processes.unused_port()}/200").result == "fail"


# Waiting


def test_only_what_fails_is_checked_again_until_it_passes(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def category(name: str, passes_at: int, *_: object) -> Iterator[Check]:
        runs.append(name)
        yield Check.of(name, runs.count(name) >= passes_at)

    categories = {"at once": partial(category, "at once", 1), "later": partial(category, "later", 3)}
    monkeypatch.setattr(validation, "_CATEGORIES", categories)
    monkeypatch.setattr(validation, "_PAUSE", 0)
    assert validate(settings_of("dev"), engine, wait=30).count("fail") == 0
    assert runs == ["at once", "later", "later", "later"]


def test_waiting_ends(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_CATEGORIES", {"never": lambda *_: [Check.fail("it", "no")]})
    monkeypatch.setattr(validation, "_PAUSE", 0.1)
    started = time.monotonic()
    assert validate(settings_of("dev"), engine, wait=0.5).count("fail") == 1
    assert 0.5 <= time.monotonic() - started < 5


def test_what_cannot_pass_is_not_waited_for(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [Check.fail("in a while", "not yet"), Check.fail("never", "there is no container", waits=False)]
    monkeypatch.setattr(validation, "_CATEGORIES", {"both": lambda *_: checks})
    told: list[str] = []
    assert validate(settings_of("dev"), engine, wait=600, say=told.append).count("fail") == 2
    assert told == []


def test_a_category_that_cannot_be_checked_fails_and_the_others_are_checked(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Check]:
        yield Check.of("first", True)
        raise ConnectionError("refused")

    monkeypatch.setattr(validation, "_CATEGORIES", {"broken": broken, "well": lambda *_: [Check.of("it", True)]})
    found = validate(settings_of("dev"), engine)
    assert [(check.name, check.result, check.detail) for check in found.categories["broken"]] == [
        ("first", "pass", ""),
        ("can be checked", "fail", "ConnectionError: refused"),
    ]
    assert found.categories["well"] == [Check("it", "pass", "")]


# The report


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed."""
    output = io.StringIO()
    monkeypatch.setattr(report, "console", Console(file=output, highlight=False, soft_wrap=True))
    return output


AWKWARD = r"regex \[a-z] and [bold] and a path C:\temp\ "


def test_the_report_is_printed_and_can_be_read_by_a_machine(terminal: io.StringIO) -> None:
    found = Report(
        "dev", 1.25, {"grafana": [Check.of("it", True, "3"), Check.fail("that", AWKWARD), Check.skip("other", "none")]}
    )
    show_report(found)
    assert terminal.getvalue().splitlines()[1:] == [
        "grafana",
        "  pass it  3",
        f"  fail that  {AWKWARD}",
        "  skip other  none",
        "",
        "1 passed, 1 failed, 1 left out in 1.2 s, stack dev",
    ]
    assert json.loads(json.dumps(found.as_dict())) == {
        "stack": "dev",
        "passed": False,
        "seconds": 1.2,
        "counts": {"pass": 1, "warn": 0, "fail": 1, "skip": 1},
        "categories": {
            "grafana": [
                {"name": "it", "result": "pass", "detail": "3"},
                {"name": "that", "result": "fail", "detail": AWKWARD},
                {"name": "other", "result": "skip", "detail": "none"},
            ]
        },
    }


def test_what_is_said_is_printed_as_it_is(terminal: io.StringIO) -> None:
    report.say(AWKWARD)
    report.success(AWKWARD)
    report.warn(AWKWARD)
    said, *others = terminal.getvalue().splitlines()
    assert said.endswith(f"s {AWKWARD}")
    assert others == [AWKWARD, AWKWARD]
