"""Containers that write lines, and the agents that read them through the proxy in front of Docker's socket."""

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import yaml
from docker.models.containers import Container

from config.docker_proxy import docker_proxy_files
from config.logs.alloy import alloy_files
from config.logs.pipeline import PUSH, SOCKET
from config.logs.promtail import promtail_files
from config.settings import Settings
from tests.logs.processes import Loki, Process, wait_until, write
from tests.processes import unused_port


class Proxy:
    """The proxy in front of Docker's socket, as a process."""

    def __init__(self, directory: Path) -> None:
        self.port = unused_port()
        text = docker_proxy_files()["haproxy.cfg"].replace("bind :2375", f"bind 127.0.0.1:{self.port}")
        write(directory, {"haproxy.cfg": text})
        command = ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")]
        self.process = Process(command, directory / "haproxy.log", f"http://127.0.0.1:{self.port}/_ping")
        self.url = f"http://127.0.0.1:{self.port}"


@contextmanager
def proxied(directory: Path) -> Iterator[Proxy]:
    """A running proxy."""
    made = Proxy(directory)
    try:
        made.process.wait_until_ready()
        yield made
    finally:
        made.process.kill()


class ContainerAlloy(Process):
    """Alloy as the stack runs it, with its start script; it finds containers by the proxy."""

    def __init__(self, stack: Settings, directory: Path, store: Loki, proxy: Proxy, positions: Path) -> None:
        files = alloy_files(stack)
        text = files["config.alloy"].replace(PUSH, f"{store.url}/loki/api/v1/push")
        text = text.replace(SOCKET, f"tcp://127.0.0.1:{proxy.port}").replace("/positions/", f"{positions}/")
        write(directory, {**files, "config.alloy": text.replace("/var/log/", f"{directory}/no-host-logs/")})
        positions.mkdir(exist_ok=True)
        port = unused_port()
        command = [
            *("env", f"DOCKER_PROXY=127.0.0.1/{proxy.port}", "bash", str(directory / "start-alloy.sh"), str(positions)),
            *("alloy", "run", f"--server.http.listen-addr=127.0.0.1:{port}", f"--storage.path={positions}"),
            str(directory / "config.alloy"),
        ]
        super().__init__(command, directory / "alloy.log", f"http://127.0.0.1:{port}/-/ready")


class ContainerPromtail(Process):
    """Promtail as the stack runs it."""

    def __init__(self, stack: Settings, directory: Path, store: Loki, proxy: Proxy, positions: Path) -> None:
        text = promtail_files(stack)["promtail.yaml"].replace(PUSH, f"{store.url}/loki/api/v1/push")
        text = text.replace(SOCKET, f"tcp://127.0.0.1:{proxy.port}").replace("/positions/", f"{positions}/")
        configuration = yaml.safe_load(text.replace("/var/log/", f"{directory}/no-host-logs/"))
        port = unused_port()
        configuration["server"] |= {"http_listen_port": port, "http_listen_address": "127.0.0.1"}
        write(directory, {"promtail.yaml": yaml.safe_dump(configuration)})
        positions.mkdir(exist_ok=True)
        command = ["promtail", f"-config.file={directory / 'promtail.yaml'}"]
        super().__init__(command, directory / "promtail.log", f"http://127.0.0.1:{port}/ready")


@contextmanager
def writing(
    engine: docker.DockerClient, image: str, stack: str, name: str, script: str, labels: Mapping[str, str] | None = None
) -> Iterator[Container]:
    """A container that runs a shell script, found as a service of a stack."""
    full = f"monitoring-{stack}-{name}"
    subprocess.run(["docker", "rm", "-f", "-v", full], capture_output=True, check=False)
    container = engine.containers.run(
        image,
        entrypoint=["/bin/sh", "-c", script],
        name=full,
        labels={
            "monitoring.stack": stack,
            "monitoring.service": name,
            "monitoring.component": "business",
            **(labels or {}),
        },
        network_mode="none",
        detach=True,
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def numbers(store: Loki, service: str) -> Counter[int]:
    """How often each numbered line (`line N`) of a service is found."""
    entries = store.entries(f'{{service="{service}"}} |= "line "', limit=200_000, hours=1)
    return Counter(int(entry.line.split("line ")[1].split()[0]) for entry in entries)


def wait_for_numbers(store: Loki, service: str, count: int, seconds: float = 90) -> Counter[int]:
    """The numbered lines of a service, as soon as there are `count` different ones, or when time is up."""
    found: Counter[int] = Counter()

    def enough() -> bool:
        found.clear()
        found.update(numbers(store, service))
        return len(found) >= count

    # Where some never come, the caller says how many.
    with suppress(AssertionError):
        wait_until(enough, seconds=seconds)
    return found
