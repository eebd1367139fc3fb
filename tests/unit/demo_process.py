"""Runs the demo as a real process, and reads what it serves and logs."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jwt

ROOT = Path(__file__).parents[2]
SERVICES = ("kong", "realtime", "websocket", "app", "api", "control")
REALTIME_SECRET = "a-secret-for-the-metrics-of-realtime-only"


class Series(NamedTuple):
    """One series of a metrics page."""

    name: str
    labels: Mapping[str, str]
    value: float


class Page:
    """A metrics page: the type of each family, and the series in their order."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        lines = re.findall(r"^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)
        self.series = [
            Series(name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for name, labels, value in lines
        ]

    def sum(self, name: str, **labels: str) -> float:
        """Add up the series of this name that have these labels. There must be one."""
        found = [s.value for s in self.series if s.name == name and labels.items() <= s.labels.items()]
        assert found, f"there is no {name} with {labels}"
        return sum(found)


class Demo:
    """A running demo. Everything it logs ends up in `log`."""

    def __init__(self, directory: Path, *flags: str, python: str = sys.executable) -> None:
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self.log_path = directory / "demo.log"
        secret = directory / "realtime_secret"
        secret.write_text(REALTIME_SECRET + "\n")
        ports = [text for name, port in self.ports.items() for text in (f"--{name}-port", str(port))]
        with self.log_path.open("w") as log, (directory / "demo.err").open("w") as errors:
            self.process = subprocess.Popen(
                [python, "-m", "demo", "--bind", "127.0.0.1", "--realtime-secret-file", str(secret), *ports, *flags],
                cwd=ROOT,
                stdout=log,
                stderr=errors,
            )
        self.errors_path = directory / "demo.err"
        wait_for(lambda: self.answers("control"), "the demo to answer")

    def url(self, service: str, path: str) -> str:
        """Return the address of a path of a service."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def answers(self, service: str) -> bool:
        """Whether the service's port takes connections."""
        assert self.process.poll() is None, f"the demo has ended: {self.errors_path.read_text()}"
        try:
            socket.create_connection(("127.0.0.1", self.ports[service]), timeout=2).close()
        except ConnectionRefusedError:
            return False
        return True

    def page(self, service: str) -> Page:
        """Return the metrics page of a service."""
        headers = {"Authorization": f"Bearer {token()}"} if service == "realtime" else {}
        answer = httpx.get(self.url(service, "/metrics"), headers=headers)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def set(self, **knobs: object) -> None:
        """Turn knobs."""
        answer = httpx.post(self.url("control", "/state"), json=knobs)
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        """Turn all knobs back."""
        assert httpx.post(self.url("control", "/reset")).status_code == 200

    def rate(self, page: str, name: str, seconds: float = 2.0, **labels: str) -> float:
        """Return what a counter grows by in a second, seen over `seconds`."""
        before, began = self.page(page).sum(name, **labels), time.monotonic()
        time.sleep(seconds)
        return (self.page(page).sum(name, **labels) - before) / (time.monotonic() - began)

    def logs(self) -> list[dict[str, Any]]:
        """Return the log lines so far, each of which must be a JSON object."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10), time.monotonic() - began


def token(secret: str = REALTIME_SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """Return a JWT as a scraper would bring it."""
    return jwt.encode(claims, secret, algorithm)


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(found.getsockname()[1]) for found in sockets]
    for found in sockets:
        found.close()
    return ports


def wait_for(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    """Wait until `condition()` is true; fail after `seconds`, naming `what` was waited for."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.1)


def running(demo: Demo) -> Iterator[Demo]:
    """Yield a demo and end it afterwards. What it wrote to standard error must be nothing."""
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.stop()
    assert demo.errors_path.read_text() == ""
