"""One fault, one message: what the receivers get of a fault that sets off several alerts."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.prometheus import prometheus_files
from config.prometheus.jobs import scrape_jobs
from ops.drills.faults import FAULTS, Fault
from tests.processes import Process, alertmanager_process, fire, wait_for
from tests.routing.stacks import told
from tests.rules.reading import dev, rules_of
from tests.services import Authority, Services, services

RULES = {rule.name: rule for rule in rules_of(prometheus_files(dev())) if rule.is_alert}
JOBS = {job.service: job for job in scrape_jobs(dev())}
# Alerts over all instances of a job have no label of one.
OVER_ALL = ("ErrorBudgetBurn", "HighUnsubscribeRate", "ActiveSubscriptionsDropped", "NoEvents", "NotificationsStalled",
            "BusinessQueriesSlow", "BusinessCacheHit", "LowSubscription")  # fmt: skip


def labels_of(alert: str, given: dict[str, str]) -> dict[str, str]:
    """The labels that an alert of a drill has: its rule's, those of its target, and those that the drill names."""
    own = {name: value for name, value in RULES[alert].body["labels"].items() if "{{" not in value}
    named = given.get("job")
    job = next((job for job in JOBS.values() if job.name == named), None) or JOBS.get(own.get("service", ""))
    found = {"alertname": alert, "instance": "one:1", **own}
    if job:
        found |= {"component": job.component, "job": job.name, "instance": job.targets[0].instance, **own}
    if given.get("role") == "replica" or alert in ("PostgreSQLHighReplicationLag", "PostgreSQLReplicationStopped"):
        found["instance"] = "postgres-replica:5432"
    if any(part in alert for part in OVER_ALL):
        del found["instance"]
    return {**found, **given}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Process, Services]]:
    """An Alertmanager and its receivers."""
    authority = Authority()
    with services(authority.server("127.0.0.1")) as channels:
        stack = told(channels, authority)
        waits = {"group_wait": "2s"}
        with alertmanager_process(stack, tmp_path, waits) as process:
            yield process, channels


# A fault of one alert makes one message of itself.
SEVERAL = [fault for fault in FAULTS if len(fault.alerts) > 1]


@pytest.mark.parametrize("fault", SEVERAL, ids=lambda fault: fault.what)
def test_a_fault_makes_one_message_and_at_most_one_page(fault: Fault, running: tuple[Process, Services]) -> None:
    process, channels = running
    alerts = [labels_of(name, dict(given)) for name, given in fault.alerts.items()]
    fire(process.url, *alerts, age=0)
    wait_for(lambda: _of(channels, "/slack", fault))
    # Whatever else there is has been waiting as long.
    time.sleep(1)
    assert len(_of(channels, "/slack", fault)) == 1
    assert len(_of(channels, "/pagerduty", fault)) == any(alert["priority"] == "P1" for alert in alerts)


def _of(channels: Services, path: str, fault: Fault) -> list[str]:
    """The messages about the alerts of a fault."""
    texts = [json.dumps(body) for body in channels.taken(path)]
    return [text for text in texts if any(alert in text for alert in fault.alerts)]
