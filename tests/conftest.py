"""What all tests share: the engine, and the tools of the very images that the stack runs."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from config.settings import load
from lab.engine import ensure
from ops import images
from ops.home import cache

# Tool -> (image that has it, its path there). The tests' tools are the stack's own, of the same version.
_TOOLS = {
    "prometheus": ("prometheus", "/bin/prometheus"),
    "promtool": ("prometheus", "/bin/promtool"),
    "alertmanager": ("alertmanager", "/bin/alertmanager"),
    "amtool": ("alertmanager", "/bin/amtool"),
    "loki": ("loki", "/usr/bin/loki"),
    "promtail": ("promtail", "/usr/bin/promtail"),
}


def _report(line: str) -> None:
    print(line, flush=True)


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The Docker engine of this machine; installed and started where there is none and the machine is a Debian one."""
    ensure(_report)
    return docker.from_env()


@pytest.fixture(scope="session")
def image_of(engine: docker.DockerClient) -> Callable[[str], str]:
    """Key of config/images.yaml -> reference of the image on the engine, brought there first."""
    secrets = dict.fromkeys(["postgresPassword", "redisPassword", "realtimeMetricsSecret", "grafanaAdminPassword"], "x")
    settings = load("dev", {"demo": "true", **secrets}, environment={}, dotenv=Path("/nonexistent"))
    found: dict[str, str] = {}

    def image(key: str) -> str:
        if key not in found:
            found.update(images.bring([key], settings, engine, cache(), _report))
        return found[key]

    return image


@pytest.fixture(scope="session", autouse=True)
def tools(engine: docker.DockerClient, image_of: Callable[[str], str]) -> Path:
    """A directory, first on PATH, with prometheus, promtool, alertmanager, amtool, loki and promtail."""
    directory = cache() / "tools"
    directory.mkdir(parents=True, exist_ok=True)
    for tool, (key, path) in _TOOLS.items():
        image_id = str(engine.images.get(image_of(key)).id).removeprefix("sha256:")[:12]
        kept = directory / f"{tool}-{image_id}"
        if not kept.exists():
            temporary = directory / f".{tool}-{os.getpid()}"
            temporary.write_bytes(_file_of(engine, image_of(key), path))
            temporary.chmod(0o755)
            temporary.replace(kept)
        # In one step, as another run of the tests may be using it.
        temporary = directory / f".{tool}-{os.getpid()}"
        temporary.symlink_to(kept)
        temporary.replace(directory / tool)
    os.environ["PATH"] = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return directory


def _file_of(engine: docker.DockerClient, image: str, path: str) -> bytes:
    container = engine.containers.create(image)
    try:
        stream, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            assert member, f"{path} of {image} is no file"
            return member.read()
    finally:
        container.remove()
