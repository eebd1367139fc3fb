"""One stack that the engine tests share, brought up once, and taken down at the end."""

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from ops.home import cache
from tests.engine.deployment import Deployment, copy_project

# Stacks of the tests: far from any real pull request's number, so that a stack that runs here is left alone.
SHARED = "pr-4401"


@pytest.fixture(scope="session")
def make_deployment(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Deployment]]:
    """Makes a deployment by its stack's name; at the end, whatever is left of it is removed by force."""
    home = tmp_path_factory.mktemp("home")
    # Two runs of the tests on one machine would take each other's stacks for leftovers: the second one waits.
    lock = (cache() / "engine-tests.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    made: list[Deployment] = []

    def make(stack: str) -> Deployment:
        root: Path = copy_project(tmp_path_factory.mktemp("project") / "monitoring")
        deployment = Deployment(stack, root, home, engine)
        remove_by_force(deployment)
        made.append(deployment)
        return deployment

    yield make
    for deployment in made:
        remove_by_force(deployment)
    lock.close()


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
