"""What must hold before anything is touched: a Docker engine that answers, free ports, networks that exist."""

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, NotFound

from config.settings import Settings
from config.way_out import set_with
from ops.errors import OpsError
from ops.stack.engine import name_of, owner_of, taken_ports

# Seconds for an answer of the Docker engine, also over ssh.
_ENGINE_TIMEOUT = 30
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_INSTANCES = 1024


def connect(host: str) -> docker.DockerClient:
    """A client of the Docker engine at `host` as it is; raises DockerException or OSError where none answers."""
    client = (
        docker.DockerClient(base_url=host, timeout=_ENGINE_TIMEOUT, use_ssh_client=host.startswith("ssh://"))
        if host
        else docker.from_env(timeout=_ENGINE_TIMEOUT)
    )
    client.ping()
    return client


def engine(host: str, report: Callable[[str], None]) -> docker.DockerClient:
    """A client of the Docker engine at `host` (empty: DOCKER_HOST or the local socket).

    Where the engine is this machine's own and does not answer, it is installed and started if the machine is a Debian
    one and we are root. Raises OpsError when none answers in the end.
    """
    from lab.engine import ensure
    from lab.errors import LabError

    try:
        return connect(host)
    except (DockerException, OSError) as error:
        cause: Exception = error
        if not host:
            try:
                ensure(report)
                return docker.from_env(timeout=_ENGINE_TIMEOUT)
            except (LabError, DockerException) as other:
                cause = other
        where = f"{host} (monitoring:dockerHost)" if host else "this machine (DOCKER_HOST or the local socket)"
        raise OpsError(
            f"no Docker engine answers at {where}: {first_line(cause)}; "
            f"start it there, or set the address with: {set_with('dockerHost', 'ssh://user@host')}",
            code=2,
        ) from None


def make_room_for_logs(settings: Settings, warn: Callable[[str], None]) -> None:
    """Raise this machine's limit of inotify instances where it is too low for several stacks, or say how.

    The engine takes one for each container whose log is followed, cAdvisor and Promtail some: about 20 a stack.
    Linux gives a user 128, and beyond that containers fail to start.
    """
    if settings.docker_host or not INOTIFY.exists() or int(INOTIFY.read_text()) >= INOTIFY_INSTANCES:
        return
    try:
        INOTIFY.write_text(str(INOTIFY_INSTANCES))
        warn(f"raised fs.inotify.max_user_instances of this machine to {INOTIFY_INSTANCES}")
    except OSError:
        warn(f"several stacks need more: sudo sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES}")


def look_at_filter(pattern: str, client: docker.DockerClient, warn: Callable[[str], None]) -> None:
    """Warn where monitoring:containerFilter, as somebody set it, matches the name of no container that runs.

    What is to be watched may come later, so it is no error; but one letter too many, and nothing is ever watched.
    """
    if not pattern:
        return
    names = sorted(name_of(listed) for listed in client.api.containers())
    if not any(re.fullmatch(pattern, name) for name in names):
        warn(
            f"monitoring:containerFilter {pattern!r} matches none of the containers that run now: no container is "
            f"watched. They are: {', '.join(names) or '(none)'}"
        )


def check(settings: Settings, client: docker.DockerClient) -> None:
    """Raise OpsError (exit code 2) for a port that somebody else has, an address or a network that is not there."""
    if found := problems(settings, client):
        raise OpsError("\n".join(found), code=2)


def problems(settings: Settings, client: docker.DockerClient) -> list[str]:
    """A line for each port, address or network that is not to be had: what is wrong; then, after "; ", the way out."""
    if not settings.docker_host and not _is_ours(settings.bind_address):
        return [
            f"monitoring:bindAddress {settings.bind_address} is no address of this machine; "
            f"choose one with: {set_with('bindAddress', '127.0.0.1')}"
        ]
    taken = taken_ports(client)
    found = [
        f"monitoring:{key}Port {port} is taken by {owner}; choose another with: {set_with(f'{key}Port', 'PORT')}"
        for key, port in vars(settings.ports).items()
        if key != "grafana" or settings.grafana.mode == "container"
        if (owner := _owner(port, settings, taken))
    ]
    if settings.docker_network:
        try:
            client.networks.get(settings.docker_network)
        except NotFound:
            found.append(
                f"monitoring:dockerNetwork {settings.docker_network!r} does not exist on the Docker host; "
                "its networks are: " + ", ".join(sorted(str(network.name) for network in client.networks.list()))
            )
    return found


def _owner(port: int, settings: Settings, taken: Mapping[int, Mapping[str, Any]]) -> str:
    """Who has `port`, if not the stack itself; empty where it is free. `taken`: port -> container that publishes it."""
    if port in taken:
        ours = owner_of(taken[port]) == (settings.project, settings.stack)
        return "" if ours else f"container {name_of(taken[port])}"
    if settings.docker_host:
        return ""  # another machine: its engine will say
    with _socket(settings.bind_address) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.bind_address, port))
        except OSError as error:
            return f"another program ({error.strerror})"
    return ""


def _is_ours(address: str) -> bool:
    """Whether this machine has the address."""
    with _socket(address) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
