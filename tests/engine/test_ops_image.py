"""`ops` as an image, on the lab's base: nobody's root, with all that a preview needs."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lab import base
from lab.cache import cache
from ops.errors import OpsError
from ops.image.build import build
from tests.engine.deployment import copy_project

pytestmark = pytest.mark.pipelines

TAG = "monitoring-ops-test"
STACK = "pr-4526"
SOCKET = Path("/var/run/docker.sock")


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Iterator[str]:
    yield build(base.build(engine, cache(), print), TAG, "", engine, print)
    engine.images.remove(TAG, force=True)


def test_it_previews_a_stack_without_root_and_without_a_download(
    image: str, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Pulumi, the Docker plugin and every library are in it; without a network, Docker's socket is all it reaches."""
    container = engine.containers.create(
        image,
        ["preview", "--stack", STACK],
        network_mode="none",
        volumes={str(SOCKET): {"bind": str(SOCKET)}},
        group_add=[SOCKET.stat().st_gid],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
    )
    try:
        project = copy_project(tmp_path / "project")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(project, arcname="work")
        container.put_archive("/", archive.getvalue())
        container.start()
        code = container.wait(timeout=240)["StatusCode"]
        said = container.logs().decode()
    finally:
        container.remove(force=True, v=True)
    assert code == 0, said
    assert "prometheus-container" in said
    assert engine.images.get(image).attrs["Config"]["User"] == "10000:10000"


def test_a_base_that_is_not_there_is_refused_with_the_way_out(engine: docker.DockerClient) -> None:
    with pytest.raises(
        OpsError, match=r"--base nothing/of-this:0 must be an image on this engine with python3"
    ) as caught:
        build("nothing/of-this:0", TAG, "", engine, print)
    assert caught.value.code == 2
