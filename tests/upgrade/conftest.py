"""The images before the last upgrade."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import yaml

from config.project import ROOT
from images.catalogue import catalogue
from lab.cache import cache

# What keeps data of the monitoring itself. The demo's servers are not among them: see docs/upgrades.md.
KEEPING_DATA = ("prometheus", "alertmanager", "loki")
# Images to use before and after in place of those of images.yaml, key -> reference: what need not be built for this.
UNCHANGED: dict[str, str] = json.loads(os.environ.get("MONITORING_UPGRADE_IMAGES", "{}"))
REVISION = os.environ.get("MONITORING_UPGRADE_FROM", "")


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """No tool of the images is run here, so none is taken out of them."""


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout of the project as it was: MONITORING_UPGRADE_FROM, else before the pins changed for the last time."""
    revision = REVISION or _before_the_last_upgrade()
    directory = tmp_path_factory.mktemp("before") / "monitoring"
    _git("worktree", "add", "--detach", str(directory), revision)
    print(f"the versions before the upgrade: {_git('log', '-1', '--format=%h %s', revision).strip()}")
    yield directory
    _git("worktree", "remove", "--force", str(directory))


@pytest.fixture(scope="session")
def old_images(before: Path, engine: docker.DockerClient) -> dict[str, str]:
    """Key -> reference of the image as it was, on the engine: MONITORING_OLD_IMAGES (JSON), else from that lab."""
    given: dict[str, str] = json.loads(os.environ.get("MONITORING_OLD_IMAGES", "{}"))
    wanted = [key for key in KEEPING_DATA if key not in given]
    program = (
        "import sys, docker; from pathlib import Path; from lab import images\n"
        "engine, cache = docker.from_env(), Path(sys.argv[1])\n"
        "for key in sys.argv[2:]: print('=', key, images.build(key, engine, cache, print))"
    )
    command = [sys.executable, "-c", program, str(cache()), *wanted]
    built = subprocess.run(command, cwd=before, text=True, stdout=subprocess.PIPE, check=True).stdout
    return given | dict(line.split()[1:] for line in built.splitlines() if line.startswith("= "))


def _before_the_last_upgrade() -> str:
    """The revision before the commit that brought the present version of the last of the images that keep data."""
    now = {key: catalogue()[key].reference.tag for key in KEEPING_DATA}
    newer = ""
    for revision in _git("log", "--format=%H", "--", "config/images.yaml").split():
        then = yaml.safe_load(_git("show", f"{revision}:config/images.yaml"))
        if all(str(then[key]["tag"]) != tag for key, tag in now.items() if key in then):
            return f"{newer}^" if newer else revision
        newer = revision
    pytest.skip("no revision of config/images.yaml has other versions; is this a shallow clone?")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True).stdout
