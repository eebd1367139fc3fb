"""Ten smoke tests: a thing of the test's own goes through the whole chain, and is seen at the other end.

The thing is a container (ops/validation/probe.py) that lives for about a minute. What each test proves:

  sample scraped   cAdvisor sees the container, Prometheus scrapes cAdvisor and keeps its series
  rule recorded    Prometheus evaluates a recording rule over that series, and keeps what comes out
  alert fired      the rule SmokeTest, which holds for such a container alone, fires for it
  alert received   Alertmanager has that alert, for the receiver `smoke` alone, and it is told
  line shipped     Docker's log of the container → the log agent → Loki → the answer to a query
  log alert        the rule SmokeTestLog of Loki's ruler fires for that line, and Alertmanager has it for that receiver
  data source      Grafana answers a query for the sample by its data source Prometheus
  dashboard        Grafana takes a dashboard of the test's own, gives it back, and its panel has the sample
  silence          an alert that the test sends to Alertmanager is kept quiet by a silence of the test's own
  reload           Prometheus and Alertmanager read their files again, and say so

It is harmless by construction. Only the two rules above fire, they have no priority, and their route leads to the
container alone; no route of a person is before it. Container, silence, alert and dashboard carry the test's name, and
are removed at its end; the container ends by itself after ten minutes where `ops` was killed. A reload reads what is
there.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import httpx

from config.alertmanager.smoke import ALERTS, RECEIVER
from config.settings import Settings
from ops.alerts.client import Client
from ops.errors import OpsError
from ops.validation import smoke_grafana
from ops.validation.check import Check, get, query
from ops.validation.probe import LINE, Probe, probe
from ops.validation.report import Report

RECORDED = "instance_name:container_memory_working_set_bytes:max"
"""The recording rule that is looked for."""
SAMPLE = "container_start_time_seconds"
"""The series that is looked for; SmokeTest fires on it."""
_ALERT, _LOG_ALERT = ALERTS
# Seconds that each step may take: some three times what its interval (of scrapes, rules, reading) makes of it.
_PATIENCE = {"sample": 60, "rule": 40, "fired": 60, "received": 30, "line": 45, "log alert": 100, "quick": 15}
_POLL = 0.5


@dataclass
class _Trial:
    """One run: the stack, its probe, and how to poll."""

    settings: Settings
    probe: Probe
    say: Callable[[str], None]
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.settings.alertmanager_url)

    def see(self, name: str, what: str, patience: str, look: Callable[[], object], hint: str) -> Check:
        """A check that passes as soon as `look` gives something true, and fails when it has not in time.

        `what` says what is looked for.
        """
        began = time.monotonic()
        problem = "not seen"
        while (waited := time.monotonic() - began) < _PATIENCE[patience]:
            try:
                if look():
                    self.say(f"{name}: {what}")
                    return Check.of(name, True, f"{what}, after {waited:.0f} s")
            except (httpx.HTTPError, OpsError) as error:
                problem = str(error)
            time.sleep(_POLL)
        found = f"{problem} within {_PATIENCE[patience]} s" if problem == "not seen" else problem
        return Check.fail(name, found, expected=what, hint=hint)


def smoke(settings: Settings, engine: docker.DockerClient, say: Callable[[str], None] = lambda _: None) -> Report:
    """Run the ten tests, what does not depend on each other at once; takes about a minute.

    Raises OpsError where the stack does not run, or where another smoke test of it is under way.
    """
    began = time.monotonic()
    configuration = list(_reload(settings))
    with probe(settings, engine) as running, ThreadPoolExecutor() as pool:
        say(f"sent: the container {running.name}")
        trial = _Trial(settings, running, say)
        metrics, logs, quiet = (pool.submit(list, chain(trial)) for chain in (_metrics, _logs, _silence))
        found = metrics.result()
        by_name = {check.name: check for check in found}
        grafana = list(smoke_grafana.checks(settings, running.name, by_name["sample scraped"].result == "pass"))
        categories = {
            "metrics": found[:2],
            "alerts": [*found[2:], *quiet.result()],
            "logs": logs.result(),
            "grafana": grafana,
            "configuration": configuration,
        }
    return Report(settings.stack, time.monotonic() - began, categories)


def _metrics(trial: _Trial) -> Iterator[Check]:
    url, name = trial.settings.prometheus.url, trial.probe.name
    names = ("sample scraped", "rule recorded", "alert fired", "alert received")
    if not re.fullmatch(trial.settings.cadvisor.containers, name):
        yield from (Check.skip(each, f"containerFilter leaves out {name}") for each in names)
        return
    steps: list[tuple[str, str, Callable[[], object], str]] = [
        (
            f"Prometheus has the series {SAMPLE} of the container",
            "sample",
            lambda: query(url, f'{SAMPLE}{{name="{name}"}}'),
            "does cAdvisor answer, and does it see the container? Look at the job cadvisor in: ops validate; "
            "follow docs/runbooks/ServiceDown.md",
        ),
        (
            f"Prometheus has recorded {RECORDED} of the container",
            "rule",
            lambda: query(url, f'{RECORDED}{{name="{name}"}}'),
            "rules are not evaluated: follow docs/runbooks/PrometheusRuleFailures.md",
        ),
        (
            f"the alert {_ALERT} fires at Prometheus",
            "fired",
            lambda: query(url, f'ALERTS{{alertname="{_ALERT}",alertstate="firing",name="{name}"}}'),
            f"the rule {_ALERT} is missing or not evaluated: ops up --stack {trial.settings.stack} writes the rules",
        ),
        (
            f"Alertmanager has told the receiver {RECEIVER}, and nobody else",
            "received",
            lambda: (
                trial.probe.was_told(_ALERT) and _goes_to_us_alone(trial, f'alertname="{_ALERT}"', f'name="{name}"')
            ),
            "does the alert arrive? See: ops alerts. Does its route lead to the test alone? Then it was not sent: "
            f"docker logs --tail 50 {trial.settings.name('alertmanager')}; "
            "follow docs/runbooks/AlertmanagerNotificationsFailing.md",
        ),
    ]
    yield from _chain(trial, names, steps)


def _logs(trial: _Trial) -> Iterator[Check]:
    name = trial.probe.name
    steps: list[tuple[str, str, Callable[[], object], str]] = [
        (
            "Loki answers a query with the line of the container",
            "line",
            lambda: _line(trial.settings, name),
            f"follow docs/runbooks/LogShipperStopped.md; the agent's words: docker logs --tail 50 "
            f"{trial.settings.name(trial.settings.log_agent)}",
        ),
        (
            f"Loki's ruler fires {_LOG_ALERT}, and Alertmanager has it for the receiver {RECEIVER} alone",
            "log alert",
            lambda: _goes_to_us_alone(trial, f'alertname="{_LOG_ALERT}"', f'name="{name}"'),
            "follow docs/runbooks/LokiRulesFailing.md",
        ),
    ]
    yield from _chain(trial, ("line shipped", "log alert"), steps)


def _chain(
    trial: _Trial, names: tuple[str, ...], steps: list[tuple[str, str, Callable[[], object], str]]
) -> Iterator[Check]:
    """Each step by its name, until one fails: what comes after it cannot be seen either, and is left out."""
    broken = ""
    for name, (what, patience, look, hint) in zip(names, steps, strict=True):
        if broken:
            yield Check.skip(name, f"not tried, as this failed: {broken}")
            continue
        check = trial.see(name, what, patience, look, hint)
        broken = name if check.result == "fail" else ""
        yield check


def _silence(trial: _Trial) -> Iterator[Check]:
    """An alert of the test's own is sent after a silence for it, and must be found silenced by that very silence."""
    mark = f"{trial.probe.name}-silence"
    labels = {"alertname": _ALERT, "priority": "none", "component": "monitoring", "name": mark}
    matcher = {"name": "name", "value": mark, "isRegex": False, "isEqual": True}
    hint = f"docker logs --tail 50 {trial.settings.name('alertmanager')}; is its volume writable?"
    known = ""
    try:
        end = datetime.now(UTC) + timedelta(minutes=5)
        known = trial.client.silence([matcher], end=end, author="ops smoke", reason="a smoke test: nothing is wrong")
        trial.client.fire(labels, {"summary": "A smoke test: nothing is wrong."}, end)
        yield trial.see(
            "silence",
            "Alertmanager keeps an alert quiet by the silence",
            "quick",
            lambda: _is_quiet(trial, mark, known),
            hint,
        )
    except OpsError as error:
        yield Check.fail("silence", str(error), expected="Alertmanager takes a silence and an alert", hint=hint)
    finally:
        if known:
            trial.client.fire(labels, {}, datetime.now(UTC))
            trial.client.end(known)


def _reload(settings: Settings) -> Iterator[Check]:
    """Both services read their files again; the time of the last good reload must move on."""
    problems = []
    for service, url in (("prometheus", settings.prometheus.url), ("alertmanager", settings.alertmanager_url)):
        try:
            before = _reloaded(service, url)
            httpx.post(f"{url}/-/reload", timeout=60).raise_for_status()
            if _reloaded(service, url) <= before:
                problems.append(f"{service} says that it has not")
        except httpx.HTTPError as error:
            problems.append(f"{service}: {error}")
    yield Check.of(
        "reload",
        not problems,
        "; ".join(problems) or "Prometheus and Alertmanager have read their files again",
        expected="both read their files again, and say so",
        hint="a file is wrong, or the service does not answer: follow docs/runbooks/PrometheusConfigReloadFailed.md "
        "or docs/runbooks/AlertmanagerConfigReloadFailed.md",
    )


def _reloaded(service: str, url: str) -> float:
    """When the service last read its files with success, by its own metrics."""
    metric = f"{service}_config_last_reload_success_timestamp_seconds"
    lines = [line for line in get(f"{url}/metrics").text.splitlines() if line.startswith(f"{metric} ")]
    return float(lines[0].split()[1]) if lines else 0.0


def _line(settings: Settings, name: str) -> bool:
    expression = f'{{service="smoke", container="{name}"}} |= "{LINE} {name}"'
    url = f"{settings.loki_url}/loki/api/v1/query_range"
    found: list[Any] = get(url, query=expression, since="10m", limit="1").json()["data"]["result"]
    return bool(found)


def _goes_to_us_alone(trial: _Trial, *matchers: str) -> bool:
    """Whether every alert that the matchers hold for leads to the test's receiver, and to no other."""
    alerts = trial.client.alerts(*matchers)
    return bool(alerts) and all([receiver["name"] for receiver in alert["receivers"]] == [RECEIVER] for alert in alerts)


def _is_quiet(trial: _Trial, mark: str, silence: str) -> bool:
    return any(alert["status"]["silencedBy"] == [silence] for alert in trial.client.alerts(f'name="{mark}"'))
