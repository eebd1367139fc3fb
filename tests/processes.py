"""Prometheus and Alertmanager as processes of a test, with the configuration of a stack."""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from config.alertmanager import DIRECTORY, alertmanager_files, alertmanager_secrets
from config.alertmanager import FLAGS as ALERTMANAGER_FLAGS
from config.alertmanager import SECRETS as SECRET_FILES
from config.prometheus import FLAGS as PROMETHEUS_FLAGS
from config.prometheus import prometheus_files
from config.settings import Settings
from images.catalogue import tags

# Seconds until a service has started, taken up an alert, or sent a notification.
_PATIENCE = 20


class Process:
    """A service of the Prometheus family that answers at `url`; it can be killed, and started again where it was."""

    def __init__(self, command: list[str], log: Path, port: int | None = None) -> None:
        address = f"127.0.0.1:{port or unused_port()}"
        self.url = f"http://{address}"
        self._command, self._log = [*command, f"--web.listen-address={address}"], log
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("a") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        wait_for(lambda: _ready(self.url), self._log)

    def kill(self) -> None:
        """End it without warning (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        self._process.terminate()
        self._process.wait()


@contextmanager
def _running(program: str, data: str, flags: Sequence[str], directory: Path) -> Iterator[Process]:
    """The program with the configuration in this directory; `data` is its option for where its data lies."""
    options = [f"--config.file={directory / program}.yml", f"--{data}={directory / 'data'}"]
    process = Process([program, *options, *flags], directory / "log")
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def alertmanager_process(stack: Settings, directory: Path, pace: Mapping[str, str] | None = None) -> Iterator[Process]:
    """An Alertmanager with the stack's configuration, without its waits; `pace` sets others ('': as it is)."""
    for name, text in alertmanager_files(stack).items():
        # The directories are others, and nothing is waited for: what is tested is not how long.
        text = text.replace(DIRECTORY, str(directory)).replace(SECRET_FILES, str(directory / "secrets"))
        for wait, duration in {"group_wait": "0s", **(pace or {})}.items():
            text = re.sub(rf"\b{wait}: \S+", f"{wait}: {duration}", text) if duration else text
        _write(directory / name, text)
    for name, secret in alertmanager_secrets(stack).items():
        _write(directory / "secrets" / name, secret.get_secret_value())
    with _running("alertmanager", "storage.path", ALERTMANAGER_FLAGS, directory) as process:
        yield process


@contextmanager
def prometheus_process(stack: Settings, directory: Path, alertmanager_url: str = "") -> Iterator[Process]:
    """A Prometheus with the stack's configuration; of the stack's services it reaches that Alertmanager at most."""
    for name, text in prometheus_files(stack, tags(stack)).items():
        if alertmanager_url:
            text = text.replace("- alertmanager:9093", f"- {alertmanager_url.removeprefix('http://')}")
        _write(directory / name, text)
    with _running("prometheus", "storage.tsdb.path", PROMETHEUS_FLAGS, directory) as process:
        yield process


@contextmanager
def alertmanager(stack: Settings, directory: Path) -> Iterator[str]:
    """The address of an Alertmanager with the stack's configuration, without its waits."""
    with alertmanager_process(stack, directory) as process:
        yield process.url


@contextmanager
def prometheus(stack: Settings, directory: Path) -> Iterator[str]:
    """The address of a Prometheus with the stack's configuration; it reaches none of the stack's services."""
    with prometheus_process(stack, directory) as process:
        yield process.url


def unused_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(condition: Callable[[], object], log: Path | None = None, patience: float = _PATIENCE) -> None:
    """Return as soon as the condition holds; fail, with the log, when it does not in time."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, log.read_text() if log else "in vain"
        time.sleep(0.05)


def fire(
    url: str,
    *alerts: Mapping[str, str],
    over: bool = False,
    annotations: Mapping[str, str] | None = None,
    age: float = 60,
) -> None:
    """Send alerts to an Alertmanager as Prometheus does: begun `age` seconds ago, and, if `over`, ended just now.

    Alertmanager waits no group_wait for what is older than that.
    """
    now = time.time()
    body = [
        {
            "labels": {"stack": "dev", "project": "monitoring", **labels},
            "annotations": annotations or {"summary": f"{labels['alertname']} happened."},
            "startsAt": _stamp(now - age),
            "endsAt": _stamp(now - 1 if over else now + 3600),
        }
        for labels in alerts
    ]
    httpx.post(f"{url}/api/v2/alerts", json=body).raise_for_status()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
