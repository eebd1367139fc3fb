"""Running the long commands of the lab: progress while they run, their own words when they fail."""

import collections
import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

Report = Callable[[str], None]
"""Takes one line of progress for a person."""

HEARTBEAT = 15.0
"""Seconds after which something long says that it is still at work."""

TAIL = 25
"""How many of a failed command's last lines an error shows."""


def run(
    command: Sequence[str],
    doing: str,
    remedy: str,
    report: Report,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end.

    `doing` names the work in progress lines and in the error ("building pulumi"), `remedy` is what a person can do
    when it fails, `env` is added to the environment. Raises LabError with the command's last lines.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise LabError(f"{doing} failed: there is no `{command[0]}` on this machine. {remedy}") from error
    latest: collections.deque[str] = collections.deque(maxlen=1)
    tail: collections.deque[str] = collections.deque(maxlen=TAIL)
    reader = threading.Thread(target=_collect, args=(process, latest, tail), daemon=True)
    try:
        reader.start()
        started = time.monotonic()
        while True:
            try:
                code = process.wait(timeout=HEARTBEAT)
                break
            except subprocess.TimeoutExpired:
                at = f" ({latest[0]})" if latest else ""
                report(f"{doing}: {time.monotonic() - started:.0f} s so far{at}")
    finally:
        if process.poll() is None:  # interrupted: leave nothing running behind
            process.terminate()
            process.wait()
    reader.join()
    if code != 0:
        raise LabError("\n".join([f"{doing} failed (exit code {code}):", *tail, remedy]))


def _collect(process: subprocess.Popen[str], latest: collections.deque[str], tail: collections.deque[str]) -> None:
    """Keep a process's latest line and its last sentences; a lone word, as from `go build -v`, explains no failure."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip():
            latest.append(line.strip())
        if " " in line.strip():
            tail.append(line.rstrip())


@contextmanager
def locked(path: Path, what: str, report: Report) -> Iterator[None]:
    """Hold the lock file at `path`, after waiting for any other process that holds it, with progress."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        waited = 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited % HEARTBEAT == 0:
                    report(f"{what}: waiting for another process that is at it")
                time.sleep(0.5)
                waited += 0.5
        yield


def one_line_at_a_time(report: Report) -> Report:
    """Give the same, for use from several threads."""
    lock = threading.Lock()

    def say(line: str) -> None:
        with lock:
            report(line)

    return say
