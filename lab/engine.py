"""A Docker engine on a Debian machine that has none: installed from Debian's packages, and started by hand."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import docker
import docker.errors
import requests

from lab import debian
from lab.errors import LabError
from lab.process import Report, locked

SOCKET = Path("/var/run/docker.sock")
PIDS = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}
LOG = Path("/var/log/dockerd.log")
LOCK = Path("/var/lock/lab-dockerd.lock")
START_LIMIT = 90.0
"""Seconds that dockerd may take to answer."""


def answers() -> bool:
    """Tell whether a Docker engine answers where DOCKER_HOST says, or at the default socket."""
    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, requests.RequestException):
        return False
    finally:
        client.close()


def ensure(report: Report) -> None:
    """Make sure that a Docker engine answers; where one does already, nothing happens.

    Installs and starts Debian's engine where this is a Debian machine and the user is root. The engine outlives this
    process and logs to /var/log/dockerd.log. Raises LabError where that is not possible or does not work.
    """
    if answers():
        return
    if os.environ.get("DOCKER_HOST"):
        raise LabError(
            f"No Docker engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}. Start it or correct the address; "
            "unset DOCKER_HOST to use an engine on this machine."
        )
    if not debian.is_ours():
        raise LabError(
            "No Docker engine answers on this machine, and one can only be set up here as root on Debian. "
            "Install and start Docker Engine, or set DOCKER_HOST to one that can be reached."
        )
    with locked(LOCK, "starting the Docker engine", report):
        if answers():
            return
        if shutil.which("dockerd") is None or shutil.which("iptables") is None:
            debian.install(["docker.io", "iptables"], report)
        report("starting the Docker engine …")
        written = LOG.stat().st_size if LOG.exists() else 0
        if Path("/run/systemd/system").is_dir():
            subprocess.run(["systemctl", "start", "docker"], capture_output=True, check=False)
            _wait(None, written)
        elif alive("dockerd"):
            _wait(None, written)  # somebody started it a moment ago
        else:
            _wait(_start(), written)


def _start() -> subprocess.Popen[bytes]:
    """Start dockerd on its own, so that it lives on when this process and its terminal are gone."""
    for name, file in PIDS.items():
        # A process that took over the number of a dead daemon makes dockerd refuse to start, or wait in vain.
        if file.exists() and not alive(name):
            file.unlink()
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        return subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )


def alive(name: str) -> bool:
    """Tell whether the process of a daemon's pid file runs and is that daemon."""
    try:
        pid = int(PIDS[name].read_text())
        # A process that has ended and waits to be noticed by its parent has no executable any more.
        return Path(os.readlink(f"/proc/{pid}/exe")).name.removesuffix(" (deleted)") == name
    except (OSError, ValueError):
        return False


def _wait(process: subprocess.Popen[bytes] | None, written: int) -> None:
    """Wait until the engine answers; LabError with what its log has beyond `written` when it ends or takes too long."""
    end = time.monotonic() + START_LIMIT
    while not answers():
        # The package's own start script may have been first: then it is the other one that ends, and this one answers.
        ended = process is not None and process.poll() is not None and not alive("dockerd")
        if ended or time.monotonic() > end:
            how = "ended at once" if ended else f"does not answer after {START_LIMIT:.0f} s"
            raise LabError(
                f"dockerd {how}. The end of {LOG}:\n{_since(written)}\n"
                "Start a Docker engine by hand, or set DOCKER_HOST to one that can be reached."
            )
        time.sleep(0.3)


def _since(written: int) -> str:
    """Give the last lines of the engine's log, of those after its first `written` bytes."""
    if not LOG.exists():
        return ""
    with LOG.open("rb") as log:
        log.seek(written)
        return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])
