"""Checks of a running stack, in seven categories: `validate` runs them all."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import docker

from config.settings import Settings
from ops.validation import alertmanager, exporters, grafana, logs, prometheus, services
from ops.validation.check import Check

# Seconds between two rounds while a stack that has just started is waited for.
_PAUSE = 2

_CATEGORIES: dict[str, Callable[[Settings, docker.DockerClient], Iterable[Check]]] = {
    "service status": services.status,
    "service health": services.health,
    "prometheus": prometheus.checks,
    "alertmanager": alertmanager.checks,
    "grafana": grafana.checks,
    "log shipper": logs.checks,
    "exporters": exporters.checks,
}


@dataclass(frozen=True)
class Report:
    """All checks of one run, by category, and how long it took in seconds."""

    stack: str
    seconds: float
    categories: dict[str, list[Check]]

    def count(self, result: Literal["pass", "fail", "skip"]) -> int:
        """How many checks ended like that."""
        return sum(check.result == result for checks in self.categories.values() for check in checks)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "stack": self.stack,
            "passed": self.count("fail") == 0,
            "seconds": round(self.seconds, 1),
            "counts": {result: self.count(result) for result in ("pass", "fail", "skip")},
            "categories": {name: [_as_dict(check) for check in checks] for name, checks in self.categories.items()},
        }


def _as_dict(check: Check) -> dict[str, str]:
    return {"name": check.name, "result": check.result, "detail": check.detail}


def validate(
    settings: Settings, engine: docker.DockerClient, wait: float = 0, say: Callable[[str], None] = lambda _: None
) -> Report:
    """Check the running stack; until everything passes or `wait` seconds are over, check again what did not pass.

    Whenever there is something else to wait for, `say` is told what it is. Where a check cannot pass however long one
    waits, such as that of a container that is not there, nothing is waited for.
    """
    started = time.monotonic()
    results = _run(_CATEGORIES, settings, engine)
    told: list[str] = []
    while time.monotonic() - started < wait:
        failing = {name: [check for check in checks if check.result == "fail"] for name, checks in results.items()}
        waiting = [f"{name}: {', '.join(check.name for check in checks)}" for name, checks in failing.items() if checks]
        if not waiting or any(not check.waits for checks in failing.values() for check in checks):
            break
        if waiting != told:
            told = waiting
            say(f"waiting for {'; '.join(waiting)}")
        time.sleep(_PAUSE)
        results.update(_run([name for name, checks in failing.items() if checks], settings, engine))
    return Report(settings.stack, time.monotonic() - started, results)


def _run(names: Iterable[str], settings: Settings, engine: docker.DockerClient) -> dict[str, list[Check]]:
    """The checks of these categories, beside each other: nearly all of their time is a wait for an answer."""
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(_run_one, _CATEGORIES[name], settings, engine) for name in names}
        return {name: checks.result() for name, checks in running.items()}


def _run_one(
    category: Callable[[Settings, docker.DockerClient], Iterable[Check]],
    settings: Settings,
    engine: docker.DockerClient,
) -> list[Check]:
    checks: list[Check] = []
    try:
        checks.extend(category(settings, engine))
    except Exception as error:  # whatever stops a category from being checked is a failure of that category
        checks.append(Check.fail("can be checked", f"{type(error).__name__}: {error}"))
    return checks
