"""`python -m bench`: this stack's commands and Docker Compose in turn, on the same images, settings and health checks.

What is compared: from nothing until every container is healthy, no change, and everything gone. Each round runs both,
one after the other, on a stack of its own (`--stack`), so that a slower minute of the machine is a slower minute of
both. Raw figures are kept in reports/bench.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker

from bench.compose import write
from components.program import declare
from config.project import ROOT
from lab import toolchain
from lab.cache import cache
from ops.stack.engine import look
from tests.unit.recording import record

# Seconds for one command.
_LIMIT = 600
# Ours and what it is held against. The aims are those of the issue "Mend", as seconds on two quiet cores.
_PAIRS = (
    ("up: all healthy", "compose up"),
    ("up: no change", "compose up: no change"),
    ("destroy", "compose down"),
)


class Bench:
    """The rounds of one run, and their figures: what was measured -> seconds, one a round."""

    def __init__(self, stack: str, directory: Path) -> None:
        self.figures: dict[str, list[float]] = {}
        self._stack = stack
        self._directory = directory
        self._engine = docker.from_env()
        self._compose = str(toolchain.build("docker-compose", cache(), print))
        os.environ["MONITORING_HOME"] = str(directory / "home")

    def round(self) -> None:
        """Everything once; leaves nothing behind."""
        started = time.monotonic()
        healthy: list[float] = []
        watcher = threading.Thread(target=self._watch, args=(started, healthy), daemon=True)
        watcher.start()
        self._time("up: validated", self._ops("up"))
        watcher.join(timeout=_LIMIT)
        self._note("up: all healthy", healthy[0])
        for name, command in (("up: no change", "up"), ("preview: no change", "preview"), ("validate", "validate")):
            self._time(name, self._ops(command))
        file = self._file()
        self._time("destroy", self._ops("destroy"))
        compose = [self._compose, "--file", str(file)]
        self._time("compose up", [*compose, "up", "--detach", "--wait"])
        self._time("compose up: no change", [*compose, "up", "--detach", "--wait"])
        self._time("compose down", [*compose, "down", "--volumes"])

    def _ops(self, command: str) -> list[str]:
        return [sys.executable, "-m", "ops", command, "--stack", self._stack]

    def _file(self) -> Path:
        """A compose file of the stack as it is now: with its images and secrets, so that both start the same."""
        # Imported here: it reads the environment that was set above.
        from ops.cli.common import open_session

        settings = open_session(self._stack).deployed
        return write(record(lambda: declare(settings), self._stack), settings, self._directory)

    def _watch(self, started: float, healthy: list[float]) -> None:
        """Note when the stack's containers are healthy and no more of them come."""
        last = (0.0, 0)
        while time.monotonic() - started < _LIMIT:
            running = [container for container in look(self._engine, self._stack).containers.values() if container.runs]
            count = sum(container.healthy for container in running)
            if count != last[1]:
                last = (time.monotonic() - started, count)
            # All that run are healthy, for five seconds: the next wave would have begun by then.
            if count and count == len(running) and time.monotonic() - started - last[0] > 5:
                healthy.append(last[0])
                return
            time.sleep(0.1)

    def _time(self, name: str, command: Sequence[str]) -> None:
        started = time.monotonic()
        self._run(command)
        self._note(name, time.monotonic() - started)

    def _note(self, name: str, seconds: float) -> None:
        self.figures.setdefault(name, []).append(round(seconds, 2))
        print(f"{name}: {seconds:.1f} s", flush=True)

    def _run(self, command: Sequence[str]) -> None:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT, check=False)
        if result.returncode:
            raise SystemExit(f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}{result.stderr}")


def show(figures: Mapping[str, Sequence[float]]) -> None:
    """Print each figure's median and range in seconds, and the ratios of the pairs' medians."""
    for name, values in figures.items():
        print(f"{name:<26} {statistics.median(values):6.1f} s   ({min(values):.1f} to {max(values):.1f})")
    for ours, theirs in _PAIRS:
        ratio = statistics.median(figures[ours]) / statistics.median(figures[theirs])
        print(f"{ours} / {theirs}: {ratio:.2f}")


def main() -> None:
    """Run the rounds, show the figures, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stack", default="pr-4490")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(given.stack, Path(directory))
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds}", flush=True)
            bench.round()
    show(bench.figures)
    reports = ROOT / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "bench.json").write_text(json.dumps(bench.figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
