"""Prometheus and Alertmanager as processes of a test, with the configuration of a stack."""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from config.alertmanager import DIRECTORY, alertmanager_files, alertmanager_secrets
from config.alertmanager import SECRETS as SECRET_FILES
from config.prometheus import prometheus_files
from config.settings import Settings

# Seconds until a service has started, taken up an alert, or sent a notification.
_PATIENCE = 20


@contextmanager
def alertmanager(stack: Settings, directory: Path) -> Iterator[str]:
    """The address of an Alertmanager with the stack's configuration, without its waits."""
    for name, text in alertmanager_files(stack).items():
        # The directories are others, and nothing is waited for: what is tested is not how long.
        text = text.replace(DIRECTORY, str(directory)).replace(SECRET_FILES, str(directory / "secrets"))
        _write(directory / name, re.sub(r"group_wait: \S+", "group_wait: 0s", text))
    for name, secret in alertmanager_secrets(stack).items():
        _write(directory / "secrets" / name, secret.get_secret_value())
    options = [f"--config.file={directory / 'alertmanager.yml'}", f"--storage.path={directory / 'data'}"]
    with _running(["alertmanager", *options, "--cluster.listen-address="], directory / "log") as url:
        yield url


@contextmanager
def prometheus(stack: Settings, directory: Path) -> Iterator[str]:
    """The address of a Prometheus with the stack's configuration; it reaches none of the stack's services."""
    for name, text in prometheus_files(stack).items():
        _write(directory / name, text)
    options = [f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
    with _running(["prometheus", *options], directory / "log") as url:
        yield url


def unused_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(condition: Callable[[], object], log: Path | None = None) -> None:
    """Return as soon as the condition holds; fail, with the log, when it does not in time."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, log.read_text() if log else "in vain"
        time.sleep(0.05)


def fire(url: str, *alerts: Mapping[str, str], over: bool = False) -> None:
    """Send alerts to an Alertmanager as Prometheus does; those that are `over` have ended just now."""
    now = time.time()
    body = [
        {
            "labels": {"stack": "dev", "project": "monitoring", **labels},
            "annotations": {"summary": f"{labels['alertname']} happened."},
            "startsAt": _stamp(now - 60),
            "endsAt": _stamp(now - 1 if over else now + 3600),
        }
        for labels in alerts
    ]
    httpx.post(f"{url}/api/v2/alerts", json=body).raise_for_status()


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[str]:
    """The address that a service of the Prometheus family answers at."""
    address = f"127.0.0.1:{unused_port()}"
    with log.open("w") as output:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=output, stderr=output)
    try:
        wait_for(lambda: _ready(f"http://{address}"), log)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


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
