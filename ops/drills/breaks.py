"""Ways to break something and to mend it again: entering the context manager breaks, leaving it mends.

They work through the knobs of the demo backend, through Docker, or through containers of their own.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import docker
from docker.errors import NotFound

from config.labels import stack_labels
from ops.drills.levers import Levers

Break = Callable[[Levers], AbstractContextManager[None]]

# Fills 94 % of the memory that the container may use, and stays there. What the kernel could give back (files that were
# read) does not count, as it does not for the alert. The paths are those of control groups of version 2, else 1.
FILL = """
import pathlib, time
root, limit, used, cache = pathlib.Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"
if not (root / limit).exists():
    root, limit, used, cache = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
def working_set():
    stat = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    return int((root / used).read_text()) - int(stat[cache])
held = []
while working_set() < 0.94 * int((root / limit).read_text()):
    held.append(b"x" * 1_000_000)
time.sleep(3600)
"""
# Starts, again and again, a child that takes memory until the kernel kills it. The parent lives on.
OVERFLOW = """
import subprocess, sys, time
while True:
    subprocess.run([sys.executable, "-c", "held = [b'x' * 500_000 for _ in range(10_000)]"])
    time.sleep(5)
"""
SLEEP = "import time; time.sleep(3600)"


def turn(**changes: Any) -> Break:
    """Turns knobs of the demo, and back to what they were."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        before = levers.knobs()
        levers.knobs(changes)
        try:
            yield
        finally:
            levers.knobs({name: before[name]["value"] for name in changes})

    return make


def stop(service: str) -> Break:
    """Stops a service's container, and starts it."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        container = levers.container(service)
        try:
            container.stop()
            yield
        finally:
            container.start()

    return make


@contextmanager
def stop_log_agent(levers: Levers) -> Iterator[None]:
    """Stops the agent that ships logs, and starts it."""
    with stop(levers.settings.log_agent)(levers):
        yield


def pause(service: str) -> Break:
    """Freezes a service's container, and lets it go on."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        container = levers.container(service)
        container.pause()
        try:
            yield
        finally:
            container.unpause()

    return make


def own_container(name: str, script: str, restarts: int = 0, **options: Any) -> Break:
    """Runs a script in a container of its own, of the demo's image; restarts it so many times; removes it."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        settings = levers.settings
        image = levers.container("demo").attrs["Image"]
        full_name = settings.name(f"drill-{name}")
        _remove(levers.engine, full_name)
        try:
            command = ["python3", "-c", script]
            container = levers.engine.containers.create(
                image,
                entrypoint=command,
                name=full_name,
                network_mode="none",
                labels=stack_labels(settings.stack),
                **options,
            )
            container.start()
            for _ in range(restarts):
                # cAdvisor and Prometheus look every ten seconds each: they must see every start.
                time.sleep(25)
                container.restart(timeout=0)
            yield
        finally:
            _remove(levers.engine, full_name)

    return make


def _remove(engine: docker.DockerClient, name: str) -> None:
    with suppress(NotFound):
        engine.containers.get(name).remove(force=True, v=True)
