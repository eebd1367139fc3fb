"""The Docker engine: whether it answers, what it can, and whether the stack's ports and networks are to be had."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from config.errors import SettingsError
from config.settings import Settings
from lab import debian
from ops.doctor.machine import disk
from ops.errors import OpsError
from ops.stack import preflight
from ops.validation.check import Check
from ops.validation.infrastructure import clock
from ops.validation.services import expected

_MIB = 1024**2
# The first version that knows healthStartInterval; the keys of the settings that need it say so.
_START_INTERVAL = 25


def checks(settings: Callable[[], Settings], engine: docker.DockerClient | Exception) -> Iterator[Check]:
    """See the module. `settings` gives the stack's, or raises; `engine` is the client, or why there is none."""
    if isinstance(engine, Exception):
        yield _no_engine(engine, _elsewhere(settings))
        return
    asked = time.time()
    info: Mapping[str, Any] = engine.api.info()
    answered = time.time()
    yield Check.of("engine", True, f"Docker {info['ServerVersion']} at {engine.api.base_url}")
    seen = clock(datetime.fromisoformat(str(info["SystemTime"])).timestamp(), asked, answered)
    # It stops no update.
    yield replace(seen, name="clock of the engine", result="warn" if seen.result == "fail" else seen.result)
    try:
        stack = settings()
    except (OpsError, SettingsError):
        yield Check.skip("ports", "not looked at, as the stack's configuration is wrong")
        return
    yield version(info, stack.health_start_interval)
    yield _room(info, stack)
    if not stack.docker_host:
        root = Path(str(info["DockerRootDir"]))
        yield disk("disk of the engine", root, shutil.disk_usage(root).free)
    yield _containerd(info, stack)
    yield ports(preflight.problems(stack, engine))


def version(info: Mapping[str, Any], start_interval: str) -> Check:
    """Whether the engine is new enough for the setting healthStartInterval (empty: not set)."""
    found = str(info["ServerVersion"])
    return Check.of(
        "version",
        not start_interval or int(found.split(".")[0]) >= _START_INTERVAL,
        f"Docker {found}",
        expected=f"Docker {_START_INTERVAL} or newer, for healthStartInterval {start_interval}",
        hint="update the engine, or: ops config rm healthStartInterval",
    )


def ports(problems: list[str]) -> Check:
    """Whether `preflight` finds nothing wrong; after its first "; ", each of its problems says the way out."""
    found = [problem.partition("; ") for problem in problems]
    return Check.of(
        "ports, address and network",
        not problems,
        "; ".join(what for what, _, _ in found) or "free, or this stack's own",
        expected="the ports are free, and address and network are there",
        hint="; ".join(way_out for _, _, way_out in found),
    )


def _elsewhere(settings: Callable[[], Settings]) -> str:
    """The address of an engine that is not simply this machine's; empty where it is."""
    try:
        return settings().docker_host or os.environ.get("DOCKER_HOST", "")
    except (OpsError, SettingsError):
        return os.environ.get("DOCKER_HOST", "")


def _no_engine(error: Exception, host: str) -> Check:
    if "Permission denied" in str(error):
        hint = "this user may not ask Docker: sudo usermod -aG docker $USER, and log in again"
    elif host:
        hint = f"start the engine at {host}, or correct its address (the key dockerHost, or the variable DOCKER_HOST)"
    elif debian.is_ours():
        # Not a failure of `up`, which installs and starts Debian's engine itself where it may.
        return Check.warn(
            "engine",
            preflight.first_line(error),
            expected="a Docker engine that answers",
            hint="ops up installs Debian's engine and starts it; or start one by hand: systemctl start docker",
        )
    else:
        hint = "start it (sudo systemctl start docker), install it (https://docs.docker.com/engine/install/), "
        hint += "or name another one: ops config set dockerHost ssh://user@host"
    wanted = "a Docker engine that answers"
    return Check.fail("engine", preflight.first_line(error), expected=wanted, hint=hint)


def _room(info: Mapping[str, Any], settings: Settings) -> Check:
    """The engine's memory against what the services may take; all of them never take it at once."""
    has = int(info["MemTotal"]) / _MIB
    services = [service for service in expected(settings) if service in settings.memory]
    may = sum(settings.memory[service] for service in services)
    largest = max(services, key=lambda service: settings.memory[service])
    detail = f"{has:,.0f} MiB; the limits of {len(services)} services add up to {may:,} MiB"
    if has >= settings.memory[largest] * 2:
        return Check.of("memory of the engine", True, detail)
    return Check.warn(
        "memory of the engine",
        detail,
        expected=f"twice the largest limit ({largest}, {settings.memory[largest]} MiB)",
        hint=f"a larger machine, or a lower limit: ops config set memory.{largest} MIB",
    )


def _containerd(info: Mapping[str, Any], settings: Settings) -> Check:
    """With the containerd image store, cAdvisor must ask containerd, too, or knows no container by its name."""
    store = any("io.containerd.snapshotter" in str(value) for pair in info.get("DriverStatus") or () for value in pair)
    if not store or settings.cadvisor.containerd_socket:
        return Check.of("image store", True, str(info["Driver"]))
    return Check.warn(
        "image store",
        f"{info['Driver']}, of containerd",
        expected="the key containerdSocket is set, so that cAdvisor sees the containers",
        hint="ops config set containerdSocket /run/containerd/containerd.sock",
    )
