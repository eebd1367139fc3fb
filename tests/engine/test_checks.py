"""A fault that is put into a running stack is named by the check that is about it, with what to do, and by no other.

`make test` runs those that cost seconds; `make faults` runs all of them.
"""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from tests.engine import breaking
from tests.engine.deployment import Deployment

PROMETHEUS, ALERTMANAGER, LOKI = "prometheus.yml", "alertmanager.yml", "fake/monitoring.yml"


@dataclass(frozen=True)
class Fault:
    """`make` breaks a stack; then `command` has one failed check alone, `check` of `category`."""

    what: str
    category: str
    check: str
    make: Callable[[Deployment], AbstractContextManager[None]]
    command: str = "validate"


def garbage(_: str) -> str:
    return "nonsense: ["


def without(pattern: str, put: str = "") -> Callable[[str], str]:
    """A change that replaces what a pattern matches."""
    return partial(re.sub, pattern, put, flags=re.DOTALL | re.MULTILINE)


def change(service: str, path: str, how: Callable[[str], str], wait: float = 0, **more: Any) -> Callable[..., Any]:
    return partial(breaking.changed, service=service, path=path, change=how, wait=wait, **more)


def one_that_fails(text: str) -> str:
    """A file of rules with one more, whose two sides do not match."""
    return f"{text.rstrip()}\n      - record: job:broken:sum\n        expr: up * on () up\n"


# What a reload must find gone: the whole of a rule, up to the next one.
RULE = r"^      (#[^\n]*\n      )*- (alert|record): {}\n.*?(?=^      (#|- )|\Z)"
RELABEL = "  alert_relabel_configs:\n"
DROP_WATCHDOG = RELABEL + "  - {source_labels: [alertname], regex: Watchdog, action: drop}\n"

QUICK = (
    Fault("a stopped exporter", "service status", "node-exporter", partial(breaking.stopped, service="node-exporter")),
    Fault(
        "a rule file that lacks a rule",
        "prometheus",
        "rules loaded",
        change("prometheus", "rules/redis_alerts.yml", without(RULE.format("RedisSlowCommands")), 12),
    ),
    Fault(
        "a receiver that is gone",
        "alertmanager",
        "receivers",
        change("alertmanager", ALERTMANAGER, without(r"\bheartbeat\b", "other")),
    ),
    Fault(
        "a container that shows a secret",
        "infrastructure",
        "secrets' files",
        lambda stack: breaking.one_more(stack, environment={"P": breaking.secret(stack, "demo", "postgres_password")}),
    ),
)
SLOW = (
    Fault("a paused exporter", "service status", "redis-exporter", partial(breaking.paused, service="redis-exporter")),
    Fault("a paused Loki", "service status", "loki", partial(breaking.paused, service="loki")),
    Fault(
        "a container that publishes a port",
        "infrastructure",
        "network isolation",
        partial(breaking.one_more, ports={"80/tcp": ("127.0.0.1", None)}),
    ),
    Fault(
        "a container that writes into a volume without a name",
        "infrastructure",
        "volumes",
        partial(breaking.one_more, volumes=["/data"]),
    ),
    Fault("a container without a limit", "infrastructure", "limits", partial(breaking.one_more, mem_limit=None)),
    Fault(
        "a container of another image",
        "infrastructure",
        "image pins",
        lambda stack: breaking.one_more(stack, image=str(stack.container("cadvisor").attrs["Image"])),
    ),
    Fault(
        "a stopped Alertmanager", "service status", "alertmanager", partial(breaking.stopped, service="alertmanager")
    ),
    Fault("a stopped proxy", "service status", "docker-proxy", partial(breaking.stopped, service="docker-proxy")),
    Fault("a paused Prometheus", "service status", "prometheus", partial(breaking.paused, service="prometheus")),
    Fault("a paused agent", "service status", "alloy", partial(breaking.paused, service="alloy")),
    Fault(
        "an exporter that hangs", "service health", "redis-exporter", partial(breaking.hung, service="redis-exporter")
    ),
    Fault(
        "an exporter off its network",
        "prometheus",
        "job redis",
        partial(breaking.disconnected, service="redis-exporter", network="core", wait=25),
    ),
    Fault(
        "a rule that cannot be evaluated",
        "prometheus",
        "rules evaluate",
        change("prometheus", "rules/redis_recordings.yml", one_that_fails, 15),
    ),
    Fault(
        "a configuration that Prometheus refuses",
        "prometheus",
        "configuration loaded",
        change("prometheus", PROMETHEUS, garbage, 15),
    ),
    Fault(
        "no way to Alertmanager",
        "prometheus",
        "alerts have a way out",
        change("prometheus", PROMETHEUS, without(r"^alerting:\n(  [^\n]*\n|- [^\n]*\n)+", ""), 5),
    ),
    Fault(
        "a Watchdog that does not fire",
        "prometheus",
        "Watchdog fires",
        change("prometheus", "rules/monitoring_alerts.yml", without(r"expr: vector\(1\)", "expr: vector(1) > 1"), 15),
    ),
    Fault(
        "a configuration that Alertmanager refuses",
        "alertmanager",
        "configuration loaded",
        change("alertmanager", ALERTMANAGER, garbage),
    ),
    Fault(
        "a Watchdog that does not arrive",
        "alertmanager",
        "Watchdog arrives",
        lambda stack: breaking.both(
            breaking.changed(stack, "prometheus", PROMETHEUS, without(RELABEL, DROP_WATCHDOG)),
            breaking.restarted(stack, "alertmanager"),
        ),
    ),
    Fault(
        "an exporter that may not log in",
        "exporters",
        "redis: redis_commands_processed_total",
        breaking.redis_wants_another_password,
    ),
    Fault("no cAdvisor", "metrics", "sample scraped", partial(breaking.paused, service="cadvisor"), "smoke"),
    Fault(
        "a recording rule that is gone",
        "metrics",
        "rule recorded",
        change(
            "prometheus",
            "rules/docker_recordings.yml",
            without(RULE.format("instance_name:container_memory_working_set_bytes:max")),
        ),
        "smoke",
    ),
    Fault(
        "an alert that is gone",
        "alerts",
        "alert fired",
        change("prometheus", "rules/monitoring_alerts.yml", without(RULE.format("SmokeTest"))),
        "smoke",
    ),
    Fault(
        "a receiver that leads nowhere",
        "alerts",
        "alert received",
        change("alertmanager", ALERTMANAGER, without("http://smoke:8080", "http://smoke:1")),
        "smoke",
    ),
    Fault("an agent that stands still", "logs", "line shipped", partial(breaking.paused, service="alloy"), "smoke"),
    Fault(
        "a log rule that is gone",
        "logs",
        "log alert",
        change("loki", LOKI, without(RULE.format("SmokeTestLog")), 15, asked=False),
        "smoke",
    ),
    Fault(
        "a file that cannot be read again",
        "configuration",
        "reload",
        change("prometheus", PROMETHEUS, garbage),
        "smoke",
    ),
    # What these leave in the counters is seen for minutes: they come last.
    Fault(
        "a receiver that takes nothing", "alertmanager", "notifications to P1 by webhook", breaking.notifications_fail
    ),
    Fault("lines that Loki refuses", "log shipper", "nothing refused by Loki", breaking.old_lines),
)


def named_by(stack: Deployment, command: str, tmp_path: Path) -> list[tuple[str, dict[str, str]]]:
    """Every failed check, with its category; the command must end with exit code 1 (0 where there is none)."""
    file = tmp_path / "report.json"
    stack.ops(command, "--json", str(file), "--junit", str(tmp_path / "report.xml"), ok=False)
    categories = json.loads(file.read_text())["categories"]
    failed = [(name, check) for name, checks in categories.items() for check in checks if check["result"] == "fail"]
    assert JUnitXml.fromfile(str(tmp_path / "report.xml")).failures == len(failed)
    return failed


def check(fault: Fault, stack: Deployment, tmp_path: Path) -> None:
    with fault.make(stack):
        failed = named_by(stack, fault.command, tmp_path)
    assert [(category, check["name"]) for category, check in failed] == [(fault.category, fault.check)], failed
    assert failed[0][1]["hint"]
    assert failed[0][1]["expected"]


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.what)
def test_a_fault_is_named_by_its_check_alone(fault: Fault, stack: Deployment, tmp_path: Path) -> None:
    stack.ops("validate", "--wait", "90")
    check(fault, stack, tmp_path)


def test_a_container_whose_lines_do_not_arrive_is_named(stack: Deployment, tmp_path: Path) -> None:
    stack.ops("validate", "--wait", "90")
    with breaking.unheard(stack):
        failed = named_by(stack, "validate", tmp_path)
    assert [(category, check["name"]) for category, check in failed] == [("log shipper", "lines of every container")]
    assert f"none of {stack.name('unheard')}" in failed[0][1]["detail"]


def test_smoke_tests_pass_on_a_healthy_stack_and_leave_nothing(stack: Deployment, tmp_path: Path) -> None:
    stack.ops("validate", "--wait", "90")
    before = stack.leftovers()
    stack.ops("smoke", "--json", str(tmp_path / "report.json"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counts"] == {"pass": 8, "warn": 0, "fail": 0, "skip": 2}
    assert stack.leftovers() == before
    assert "smoke" not in stack.ops("silence", "list")


@pytest.mark.faults
@pytest.mark.parametrize("fault", SLOW, ids=lambda fault: fault.what)
def test_a_fault_that_takes_long_is_named_by_its_check_alone(fault: Fault, stack: Deployment, tmp_path: Path) -> None:
    stack.ops("validate", "--wait", "120")
    check(fault, stack, tmp_path)


def test_there_are_faults_of_every_category_that_this_stack_has() -> None:
    """Grafana's are in tests/unit/test_ops_validation.py: not every machine has its image."""
    faults = [*QUICK, *SLOW]
    assert len(faults) + 1 >= 25
    assert {fault.category for fault in faults} >= {
        *("service status", "service health", "prometheus", "alertmanager", "log shipper", "exporters"),
        *("infrastructure", "metrics", "alerts", "logs", "configuration"),
    }
