"""A test alert, sent all the way: which receiver took it, and what each answered."""

import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import docker
from docker.errors import DockerException

from config.alertmanager.routes import PACE
from config.durations import seconds
from config.settings import Settings
from ops.alerts.client import Client, Count, Way
from ops.errors import OpsError

NAME = "TestAlert"
# Seconds, beyond group_wait, within which a service should have answered.
_PATIENCE = 30
_POLL = 0.5


@dataclass(frozen=True)
class Result:
    """How one way out took the test alert; `answer` is what it said where it did not."""

    way: Way
    taken: bool
    answer: str


def trial(settings: Settings, engine: docker.DockerClient, priority: str) -> list[Result]:
    """Send an alert that is marked as a test, of priority P1, P2 or P3, and see what becomes of it; then end it.

    Gives a result for each way out that its route leads to. Raises OpsError where there is none.
    """
    if priority not in PACE:
        raise OpsError(f"priority {priority!r} must be one of {', '.join(PACE)}", code=2)
    client = Client(settings.alertmanager_url)
    before = client.counts()
    mark = f"ops-{uuid.uuid4().hex[:8]}"
    labels = _labels(settings, priority, mark)
    began = time.time()
    client.fire(labels, _annotations(settings), datetime.now(UTC) + timedelta(minutes=10))
    try:
        ways = _ways(client, mark, before)
        deadline = began + seconds(PACE[priority][0]) + _PATIENCE
        now = client.counts()
        while time.time() < deadline and not all(_answered(now[way], before[way]) for way in ways):
            time.sleep(_POLL)
            now = client.counts()
    finally:
        client.fire(labels, _annotations(settings), datetime.now(UTC))
    # Alertmanager counts first and writes its log then.
    time.sleep(_POLL)
    said = _said(settings, engine, mark, began)
    return [_result(way, before[way], now[way], said) for way in ways]


def _labels(settings: Settings, priority: str, mark: str) -> dict[str, str]:
    return {
        "alertname": NAME,
        "priority": priority,
        "component": "monitoring",
        "service": "ops",
        # Of its own: so it is grouped with no real alert, and inhibits none.
        "instance": mark,
        "project": settings.project,
        "stack": settings.stack,
        "test": "true",
    }


def _annotations(settings: Settings) -> dict[str, str]:
    return {
        "summary": "This is a test of the notifications; nothing is wrong.",
        "description": "Sent by `ops alerts test`; nothing is wrong, and there is nothing to do.",
        "runbook_url": f"{settings.runbook_base_url}/Watchdog.md",
    }


def _ways(client: Client, mark: str, counts: dict[Way, Count]) -> list[Way]:
    """The ways out that the alert's routes lead to."""
    deadline = time.time() + 10
    while not (found := client.alerts(f'instance="{mark}"')):
        if time.time() > deadline:
            raise OpsError("Alertmanager took the test alert and does not list it; look at its log")
        time.sleep(_POLL)
    receivers = {receiver["name"] for receiver in found[0]["receivers"]}
    ways = sorted((way for way in counts if way.receiver in receivers), key=lambda way: (way.receiver, way.integration))
    if not ways:
        raise OpsError(
            f"no receiver is configured that would be told: {', '.join(sorted(receivers))} is empty; "
            "see the warnings of: ops validate"
        )
    return ways


def _answered(now: Count, before: Count) -> bool:
    return now.requests - now.failed > before.requests - before.failed


def _result(way: Way, before: Count, now: Count, said: dict[str, str]) -> Result:
    if _answered(now, before):
        return Result(way, True, f"took it after {now.requests - before.requests} requests")
    if now.failed > before.failed:
        return Result(way, False, said.get(f"{way.receiver}/{way.integration}", "failed; see Alertmanager's log"))
    return Result(way, False, "no answer yet")


def _said(settings: Settings, engine: docker.DockerClient, mark: str, began: float) -> dict[str, str]:
    """Receiver/integration -> the last error about this alert in Alertmanager's log."""
    try:
        container = engine.containers.get(settings.name("alertmanager"))
        log = container.logs(since=int(began)).decode(errors="replace")
    except DockerException as error:
        return {"": str(error)}
    return errors_in(log, mark)


def errors_in(log: str, mark: str) -> dict[str, str]:
    """Receiver/integration -> the last error that Alertmanager's log has about the alert with this mark."""
    found = {}
    for line in log.splitlines():
        error = re.search(r'\berr="((?:[^"\\]|\\.)*)"', line)
        if mark not in line or not error:
            continue
        text = error.group(1).replace('\\"', '"').replace("\\n", "\n")
        if way := re.search(r"receiver=(\S+) integration=(\w+)", line):
            # One attempt, after which there are more.
            found[f"{way.group(1)}/{way.group(2)}"] = text
        for ended in re.finditer(r"([\w-]+)/(\w+)\[\d+\]: (.*)", text):
            # The end of a notification, of all integrations of the group that failed.
            found[f"{ended.group(1)}/{ended.group(2)}"] = ended.group(3)
    return found
