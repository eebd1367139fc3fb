"""A stack that a test owns: a copy of the project, whose files it may change, and `ops` as a person runs it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from config.ports import PORT_KEYS, Ports
from config.project import PROJECT, ROOT
from lab.cache import cache

# Seconds for one command; far more than any takes on a machine that is busy with other things.
_TIMEOUT = 600
_PARTS = ("components", "config", "dashboards", "demo", "docs", "images", "lab", "ops")


@dataclass
class Deployment:
    """The stack `stack` of the project's copy at `root`, with a state of its own at `home`."""

    stack: str
    root: Path
    home: Path
    engine: docker.DockerClient
    environment: dict[str, str] = field(default_factory=dict)

    def ops(self, *arguments: str, ok: bool = True, environment: dict[str, str] | None = None) -> str:
        """Run `ops` on this stack; gives all that it printed. Fails the test where `ok` is not how it ended."""
        return self._run(self.command(*arguments), ok, environment)

    def ops_on_all(self, *arguments: str, ok: bool = True) -> str:
        """The same with a command that is for all stacks."""
        return self._run([*self.command("")[:3], *arguments], ok, None)

    def listed(self) -> list[dict[str, Any]]:
        """What `ops stacks` says of this stack: nothing where there is none."""
        found: list[dict[str, Any]] = json.loads(self.ops_on_all("stacks", "--json"))
        return [each for each in found if each["name"] == self.stack]

    def history(self) -> list[dict[str, Any]]:
        """What `ops history` says, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.ops("history", "--json"))
        return found

    def _run(self, command: list[str], ok: bool, environment: dict[str, str] | None) -> str:
        result = subprocess.run(
            command,
            cwd=self.root,
            env=self.variables(environment),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
        )
        assert (result.returncode == 0) == ok, f"{' '.join(command[2:])}: exit {result.returncode}\n{result.stdout}"
        return result.stdout

    def command(self, *arguments: str) -> list[str]:
        """The command line of `ops` on this stack."""
        return [sys.executable, "-m", "ops", arguments[0], "--stack", self.stack, *arguments[1:]]

    def variables(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """The environment of `ops`: this machine's, with a home of its own and the shared cache."""
        own = {"MONITORING_HOME": str(self.home), "MONITORING_CACHE": str(cache())}
        return {**os.environ, **own, **self.environment, **(more or {})}

    def name(self, service: str) -> str:
        """Physical name of a service's container or volume."""
        return f"{PROJECT}-{self.stack}-{service}"

    def container(self, service: str) -> Container:
        """The service's container."""
        return self.engine.containers.get(self.name(service))

    def started(self, service: str) -> tuple[str, str]:
        """What changes when a container is replaced or restarted: its id and the time of its start."""
        container = self.container(service)
        return str(container.id), str(container.attrs["State"]["StartedAt"])

    def run(self, service: str, command: list[str]) -> str:
        """What `command` prints inside the service's container; fails the test where it fails."""
        result = self.container(service).exec_run(command)
        assert isinstance(result.output, bytes)
        output = result.output.decode().strip()
        assert result.exit_code == 0, f"{service}: {command}: {output}"
        return output

    @property
    def ports(self) -> Ports:
        """The published ports that were found for the stack when it was made."""
        config = yaml.safe_load((self.home / f"stacks/Pulumi.{self.stack}.yaml").read_text())["config"]
        return Ports(**{service: int(config[f"{PROJECT}:{key}"]) for service, key in PORT_KEYS.items()})

    def url(self, service: str) -> str:
        """Address of a user interface."""
        return f"http://127.0.0.1:{getattr(self.ports, service)}"

    def leftovers(self) -> list[str]:
        """Everything on the engine that carries the stack's name."""
        prefix = self.name("")
        things = [container.name for container in self.engine.containers.list(all=True, ignore_removed=True)]
        things += [volume.name for volume in self.engine.volumes.list()]
        things += [network.name for network in self.engine.networks.list()]
        things += [tag for image in self.engine.images.list() for tag in image.tags]
        return sorted(thing for thing in things if thing and prefix in thing)


@contextmanager
def edited(path: Path, change: str | tuple[str, str]) -> Iterator[None]:
    """Another text in the file at `path` for a while: `change`, or what is there with one text for another.

    A file that was not there is gone afterwards.
    """
    original = path.read_text() if path.exists() else None
    if isinstance(change, tuple):
        assert original is not None, path
        assert change[0] in original, change[0]
        change = original.replace(*change)
    path.write_text(change)
    try:
        yield
    finally:
        if original is None:
            path.unlink()
        else:
            path.write_text(original)


def copy_project(destination: Path) -> Path:
    """A copy of the project's program and configuration, for a test to change."""
    destination.mkdir(parents=True)
    for part in _PARTS:
        if (ROOT / part).exists():
            shutil.copytree(ROOT / part, destination / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in [*ROOT.glob("Pulumi*.yaml"), ROOT / "__main__.py", ROOT / "pyproject.toml", ROOT / "uv.lock"]:
        shutil.copy(file, destination / file.name)
    return destination


def eventually(what: str, condition: Callable[[], object], seconds: float = 90) -> None:
    """Wait until `condition` gives something true; fail with the last thing it said."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return
        except Exception as error:  # not yet there is one of the things that may be waited for
            last = error
        time.sleep(1)
    raise AssertionError(f"{what}: not within {seconds:.0f} s; last: {last!r}")
