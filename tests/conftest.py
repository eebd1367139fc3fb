"""What all tests share: the engine, the tools of the very images that the stack runs, and one running stack."""

import fcntl
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from images.bring import bring
from lab.cache import cache
from lab.engine import ensure
from ops.report import console
from tests.engine.deployment import Deployment, copy_project
from tests.rules.reading import dev

# Image -> the tools in it. The tests' tools are the stack's own, of the same version.
_TOOLS = {
    "prometheus": ["/bin/prometheus", "/bin/promtool"],
    "alertmanager": ["/bin/alertmanager", "/bin/amtool"],
    "loki": ["/usr/bin/loki"],
    "alloy": ["/bin/alloy"],
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (`make test`): one has all tests of the running stack, and no file is torn apart."""
    for item in items:
        shared = "stack" in getattr(item, "fixturenames", ()) or item.get_closest_marker("live")
        item.add_marker(pytest.mark.xdist_group("stack" if shared else item.location[0]))


def _report(line: str) -> None:
    print(line, flush=True)


@pytest.fixture(autouse=True)
def _own_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command that runs within a test does to the terminal ends with that test."""
    monkeypatch.setattr(console, "stderr", False)


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The Docker engine of this machine; installed and started where there is none and the machine is a Debian one."""
    ensure(_report)
    return docker.from_env()


@pytest.fixture(scope="session")
def image_of(engine: docker.DockerClient) -> Callable[[str], str]:
    """Key of config/images.yaml -> reference of the image on the engine, brought there first."""
    found: dict[str, str] = {}

    def image(key: str) -> str:
        if key not in found:
            found.update(bring([key], dev(), engine, cache(), _report))
        return found[key]

    return image


@pytest.fixture(scope="session", autouse=True)
def tools(engine: docker.DockerClient, image_of: Callable[[str], str]) -> Path:
    """A directory, first on PATH, with prometheus, promtool, alertmanager, amtool, loki and alloy."""
    directory = cache() / "tools"
    directory.mkdir(parents=True, exist_ok=True)
    for key, paths in _TOOLS.items():
        for path in paths:
            _put(engine, image_of(key), path, directory / Path(path).name)
    os.environ["PATH"] = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return directory


@pytest.fixture(scope="session")
def promtail(engine: docker.DockerClient, image_of: Callable[[str], str], tools: Path) -> None:
    """Promtail on PATH too; only `make promtail` runs what needs it, and builds it where no registry has it."""
    _put(engine, image_of("promtail"), "/usr/bin/promtail", tools / "promtail")


def _put(engine: docker.DockerClient, image: str, path: str, tool: Path) -> None:
    """Let `tool` be the program at a path of an image."""
    image_id = str(engine.images.get(image).id).removeprefix("sha256:")[:12]
    kept = tool.with_name(f"{tool.name}-{image_id}")
    temporary = tool.with_name(f".{tool.name}-{os.getpid()}")
    if not kept.exists():
        temporary.write_bytes(_file_of(engine, image, path))
        temporary.chmod(0o755)
        temporary.replace(kept)
    # In one step, as another run of the tests may be using it.
    temporary.symlink_to(kept)
    temporary.replace(tool)


def _file_of(engine: docker.DockerClient, image: str, path: str) -> bytes:
    container = engine.containers.create(image)
    try:
        stream, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            assert member, f"{path} of {image} is no file"
            return member.read()
    finally:
        container.remove(v=True)


# Stacks of the tests: far from any real pull request's number, so that a stack that runs here is left alone.
SHARED = "pr-4401"


@pytest.fixture(scope="session")
def make_deployment(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Deployment]]:
    """Makes a deployment by its stack's name; at the end, whatever is left of it is removed by force."""
    home = tmp_path_factory.mktemp("home")
    made: list[Deployment] = []
    locks = ExitStack()

    def make(stack: str) -> Deployment:
        # Two runs of the tests on one machine would take each other's stacks for leftovers: the second one waits.
        lock = locks.enter_context((cache() / f"test-{stack}.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        root: Path = copy_project(tmp_path_factory.mktemp("project") / "monitoring")
        deployment = Deployment(stack, root, home, engine)
        remove_by_force(deployment)
        made.append(deployment)
        return deployment

    yield make
    for deployment in made:
        remove_by_force(deployment)
    locks.close()


def remove_by_force(deployment: Deployment) -> None:
    """Remove what an aborted test run left of a stack, without Pulumi."""
    prefix = deployment.name("")
    for container in deployment.engine.containers.list(all=True, ignore_removed=True):
        if str(container.name).startswith(prefix):
            container.remove(force=True, v=True)
    for volume in deployment.engine.volumes.list():
        if volume.name.startswith(prefix):
            volume.remove(force=True)
    for network in deployment.engine.networks.list():
        if str(network.name).startswith(prefix):
            network.remove()


@pytest.fixture(scope="session")
def stack(make_deployment: Callable[[str], Deployment]) -> Deployment:
    """A stack like dev, up and validated."""
    deployment = make_deployment(SHARED)
    deployment.ops("up")
    return deployment
