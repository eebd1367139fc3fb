"""Checks of a running stack, in seven categories, and of the ground it stands on: `validate` runs them all."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import docker

from config.settings import Settings
from ops.validation import alertmanager, exporters, grafana, infrastructure, logs, prometheus, services
from ops.validation.causes import without_consequences
from ops.validation.check import Check
from ops.validation.report import Report

__all__ = ["Report", "validate"]

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
    "infrastructure": infrastructure.checks,
}


def validate(
    settings: Settings, engine: docker.DockerClient, wait: float = 0, say: Callable[[str], None] = lambda _: None
) -> Report:
    """Check the running stack; until everything passes or `wait` seconds are over, check again what did not pass.

    Whenever there is something else to wait for, `say` is told what it is. Where a check cannot pass however long one
    waits, such as that of a container that is not there, nothing is waited for. What only follows from another failure
    is left out of the report: see ops.validation.causes.
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
    return Report(settings.stack, time.monotonic() - started, without_consequences(results))


def _run(names: Iterable[str], settings: Settings, engine: docker.DockerClient) -> dict[str, list[Check]]:
    """The checks of these categories, beside each other: nearly all of their time is a wait for an answer."""
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(_run_one, name, settings, engine) for name in names}
        return {name: checks.result() for name, checks in running.items()}


def _run_one(name: str, settings: Settings, engine: docker.DockerClient) -> list[Check]:
    checks: list[Check] = []
    try:
        checks.extend(_CATEGORIES[name](settings, engine))
    except Exception as error:  # whatever stops a category from being checked is a failure of that category
        checks.append(
            Check.fail(
                "can be checked",
                f"{type(error).__name__}: {error}",
                expected="the services that this category asks answer",
                hint="ops doctor says what this machine lacks; follow docs/runbooks/ServiceDown.md",
                needs=_needs(name, settings),
            )
        )
    return checks


def _needs(name: str, settings: Settings) -> tuple[str, ...]:
    """The services without which a category cannot be checked at all."""
    return {
        "prometheus": prometheus.NEEDS,
        "alertmanager": alertmanager.NEEDS,
        "grafana": grafana.NEEDS,
        "log shipper": logs.needs(settings),
        "exporters": exporters.NEEDS,
        "infrastructure": prometheus.NEEDS,
    }.get(name, ())
