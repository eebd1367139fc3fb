"""Drills: break something, see that the alert comes, mend it, see that the alert goes.

`drill` makes the faults of `faults.py` on a running demo stack, as many at once as do not disturb each other, and says
how long each alert took. A stack that was brought up with the configuration `drill: true` has its waits (`for`,
`keep_firing_for`) shortened; expressions and windows are the real ones, so rates over five minutes still take minutes.
Whatever happens, Ctrl-C included, every fault is undone. Call it from the main thread, which signals reach.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import httpx
import tenacity

from config.settings import Settings
from ops.drills.faults import EVERYTHING, FAULTS, Fault
from ops.drills.levers import Levers
from ops.errors import OpsError

Report = Callable[[str], None]
# Alert -> labels that it must have.
_Alerts = Mapping[str, Mapping[str, str]]

# Seconds, beyond the rule's own `for` or `keep_firing_for`: windows of 5 minutes have to fill, and to drain windows of
# up to 30 minutes (the short window of the slower of the two fast burn rates).
_FIRE_WITHIN = 600
_RESOLVE_WITHIN = 2400
_POLL = 2


@dataclass(frozen=True)
class Result:
    """Seconds from the fault to firing in Prometheus and to Alertmanager, and from mending to the end; None: not seen.

    `problem` says what went wrong; empty where all went well.
    """

    alert: str
    fired: float | None = None
    notified: float | None = None
    resolved: float | None = None
    problem: str = ""


def drillable() -> list[str]:
    """The alerts that can be drilled."""
    return sorted(alert for fault in FAULTS for alert in fault.alerts)


def drill(names: Iterable[str], settings: Settings, engine: docker.DockerClient, report: Report) -> list[Result]:
    """Drill the alerts `names`, or all without names; `report` gets a line for each thing that happens.

    Gives a result for each alert, also when interrupted by Ctrl-C: then the rest are marked so. Raises OpsError where
    the stack has no demo backend or a name is unknown.
    """
    wanted = set(names) or set(drillable())
    unknown = sorted(wanted - set(drillable()))
    if unknown:
        raise OpsError(f"there is no drill for {', '.join(unknown)}; there are: {', '.join(drillable())}", code=2)
    if not settings.demo:
        raise OpsError(
            f"stack {settings.stack} has no demo backend: a drill breaks things, and is for demo stacks only"
        )
    if not settings.drill:
        report("the waits of this stack are not shortened (ops up -c drill=true does that): each drill takes longer")
    faults = [fault for fault in FAULTS if wanted & set(fault.alerts)]
    run = _Run(Levers(settings, engine), report, faults)
    with ThreadPoolExecutor(max_workers=len(faults)) as pool, _interruptible(run.stopped, report):
        futures = [pool.submit(run.fault, fault, sorted(wanted & set(fault.alerts))) for fault in faults]
        while not all(future.done() for future in futures):
            time.sleep(0.5)
    return [result for future in futures for result in future.result()]


@contextmanager
def _interruptible(stopped: threading.Event, report: Report) -> Iterator[None]:
    """Turns Ctrl-C, and an order to end, into `stopped`: the faults are then undone before anything ends."""

    def stop(number: int, frame: object) -> None:
        report("interrupted: undoing every fault")
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    """The drills of one call, which share what must not be disturbed by two of them."""

    def __init__(self, levers: Levers, report: Report, faults: list[Fault]) -> None:
        self.stopped = threading.Event()
        self._levers = levers
        self._report = report
        settings = levers.settings
        # Loki's ruler answers as Prometheus does, below a path of its own.
        self._prometheus = _Rules([settings.prometheus.url, f"{settings.loki_url}/prometheus"])
        self._waiting = list(faults)
        self._running: list[Fault] = []
        self._changed = threading.Condition()

    def fault(self, fault: Fault, names: list[str]) -> list[Result]:
        """Makes one fault when its turn has come, and watches its alerts `names`."""
        if not self._take_turn(fault):
            return [Result(name, problem="interrupted before its turn") for name in names]
        labels = {name: self._labels(fault.alerts[name]) for name in names}
        try:
            try:
                already = [name for name in names if self._prometheus.firing(name, labels[name])]
                results = [Result(name, problem="not drilled: it fires already") for name in already]
                alerts = {name: labels[name] for name in names if name not in already}
                seen = self._break(fault, alerts) if alerts else ({}, {})
            finally:
                self._end_turn(fault)
            return results + (self._watch_the_end(alerts, *seen) if alerts else [])
        except Exception as error:  # noqa: BLE001 - one drill that fails must not take the others along
            problem = f"{type(error).__name__}: {error}"
            self._report(f"the drill of {', '.join(names)} failed: {problem}")
            return [Result(name, problem=problem) for name in names]

    def _take_turn(self, fault: Fault) -> bool:
        """Waits until no fault that is not mended, or stands before it in the table, conflicts; false: interrupted."""
        with self._changed:
            while not self.stopped.is_set():
                before = self._waiting[: self._waiting.index(fault)]
                if not any(_conflict(fault, other) for other in [*self._running, *before]):
                    self._waiting.remove(fault)
                    self._running.append(fault)
                    self._changed.notify_all()
                    return True
                self._changed.wait(timeout=1)
            self._waiting.remove(fault)
            return False

    def _end_turn(self, fault: Fault) -> None:
        with self._changed:
            self._running.remove(fault)
            self._changed.notify_all()

    def _labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {label: value.format(name=self._levers.settings.name("")) for label, value in labels.items()}

    def _break(self, fault: Fault, alerts: _Alerts) -> tuple[dict[str, float], dict[str, float]]:
        """Seconds from the fault to firing, and to Alertmanager, by alert; the fault is mended when it is told."""
        began = time.monotonic()
        fired: dict[str, float] = {}
        notified: dict[str, float] = {}
        deadline = began + _FIRE_WITHIN + max(self._prometheus.wait(name, "duration") for name in alerts)
        self._report(f"fault: {fault.what} ({', '.join(alerts)})")
        with fault.make(self._levers):
            while len(fired) + len(notified) < 2 * len(alerts) and time.monotonic() < deadline:
                self._observe(fault, alerts, began, fired, notified)
                if self.stopped.wait(_POLL):
                    break
        return fired, notified

    def _watch_the_end(
        self, alerts: _Alerts, fired: Mapping[str, float], notified: Mapping[str, float]
    ) -> list[Result]:
        mended = time.monotonic()
        resolved: dict[str, float] = {}
        deadline = mended + _RESOLVE_WITHIN + max(self._prometheus.wait(name, "keepFiringFor") for name in alerts)
        while set(resolved) < set(fired) and time.monotonic() < deadline:
            for name in set(fired) - set(resolved):
                if not self._prometheus.firing(name, alerts[name]):
                    resolved[name] = time.monotonic() - mended
                    self._report(f"{name}: resolved {resolved[name]:.0f} s after the end of the fault")
            if self.stopped.wait(_POLL):
                break
        return [
            Result(name, fired.get(name), notified.get(name), resolved.get(name), self._problem(name, fired, resolved))
            for name in alerts
        ]

    def _observe(
        self,
        fault: Fault,
        alerts: _Alerts,
        began: float,
        fired: dict[str, float],
        notified: dict[str, float],
    ) -> None:
        for name, labels in alerts.items():
            if name not in fired and self._prometheus.firing(name, labels):
                fired[name] = time.monotonic() - began
                self._report(f"{name}: firing {fired[name]:.0f} s after the fault")
            # What says that Alertmanager is gone cannot arrive there.
            if name in fired and name not in notified:
                if fault.touches == EVERYTHING:
                    notified[name] = fired[name]
                elif self._has_arrived(name, labels):
                    notified[name] = time.monotonic() - began

    def _has_arrived(self, name: str, labels: Mapping[str, str]) -> bool:
        try:
            url = f"{self._levers.settings.alertmanager_url}/api/v2/alerts"
            found = httpx.get(url, params={"filter": f'alertname="{name}"'}, timeout=10).raise_for_status().json()
        except httpx.HTTPError:
            return False
        return any(labels.items() <= alert["labels"].items() for alert in found)

    def _problem(self, name: str, fired: Mapping[str, float], resolved: Mapping[str, float]) -> str:
        if self.stopped.is_set() and name not in resolved:
            return "interrupted"
        if name not in fired:
            return "did not fire"
        return "" if name in resolved else "did not resolve"


class _Rules:
    """What Prometheus and Loki's ruler, at these addresses, say of their alerts."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls

    def firing(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether an alert of this name, with these labels among its own, fires."""
        return any(
            alert["state"] == "firing"
            and alert["labels"]["alertname"] == name
            and labels.items() <= alert["labels"].items()
            for url in self._urls
            for alert in self._ask(url, "alerts")["alerts"]
        )

    def wait(self, name: str, kind: str) -> float:
        """Seconds of a rule's `for` (kind `duration`) or `keep_firing_for` (`keepFiringFor`) as it is in force."""
        groups = [group for url in self._urls for group in self._ask(url, "rules", type="alert")["groups"]]
        rules = [rule for group in groups for rule in group["rules"] if rule["name"] == name]
        return max((float(rule.get(kind, 0)) for rule in rules), default=0)

    # A machine that is busy with many faults answers late now and then.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(OpsError),
        stop=tenacity.stop_after_delay(60),
        wait=tenacity.wait_fixed(2),
        reraise=True,
    )
    def _ask(self, url: str, path: str, **parameters: str) -> Any:
        try:
            answer = httpx.get(f"{url}/api/v1/{path}", params=parameters, timeout=10).raise_for_status()
        except httpx.HTTPError as error:
            raise OpsError(f"nothing answers at {url}: {error}") from error
        return answer.json()["data"]


def _conflict(one: Fault, other: Fault) -> bool:
    meet = one.touches & other.touches or EVERYTHING in (one.touches, other.touches)
    return bool(meet) and (one.alone or other.alone)
