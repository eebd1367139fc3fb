"""The config writer's script beside a real Prometheus: when it asks for a reload, and when it need not."""

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import docker
import pytest
from docker.models.containers import Container

from components.config_writer import PACKED, Configuration, script
from components.file import File
from components.pack import pack

CONFIGURATION = Configuration(
    directory="/etc/prometheus",
    files=[File("/etc/prometheus/prometheus.yml", "scrape_configs: []\n")],
    secrets=[],
    check="promtool check config /etc/prometheus/prometheus.yml",
    url="http://prometheus:9090",
    reloaded_metric="prometheus_config_last_reload_successful",
)


@pytest.fixture
def write(engine: docker.DockerClient, image_of: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """Writes into a volume on which a shell command was run first, and gives what the writer says.

    A Prometheus answers to its name in the same network, so that a writer which looks for it finds it.
    """
    name, image = f"test-{uuid4().hex[:8]}", image_of("prometheus")
    network, volume = engine.networks.create(name, internal=True), engine.volumes.create(name)
    made: list[Container] = []

    def start(file: File, command: str, mount: str, **options: Any) -> Container:
        volumes = {name: {"bind": mount}}
        container = engine.containers.create(
            image, ["-c", command], entrypoint="/bin/sh", user="0:0", network=name, volumes=volumes, **options
        )
        made.append(container)
        container.put_archive("/", _archive(file))
        container.start()
        return container

    def said(command: str) -> str:
        packed = pack(PACKED, CONFIGURATION.files)
        container = start(packed, command, "/live", cap_drop=["ALL"], tmpfs={CONFIGURATION.directory: ""})
        assert container.wait(timeout=60)["StatusCode"] == 0, container.logs().decode()
        return str(container.logs().decode()).strip().rpartition("\n")[2]

    (main,) = CONFIGURATION.files
    server = start(main, f"exec prometheus --config.file={main.path} --web.enable-lifecycle", "/unused")
    network.disconnect(server)
    network.connect(server, aliases=["prometheus"])
    ready = "until wget -q -T 1 -O /dev/null http://prometheus:9090/-/ready; do sleep 0.2; done; "
    try:
        yield lambda before: said(f"{ready}{before}; {script('prometheus', CONFIGURATION)}")
    finally:
        for container in made:
            container.remove(force=True, v=True)
        network.remove()
        volume.remove()


def test_a_service_is_not_looked_for_on_a_volume_that_was_never_written(write: Callable[[str], str]) -> None:
    assert write("true") == "written; prometheus does not run yet and will read it when it starts"
    assert write("true") == "written; prometheus reloaded it"


def test_a_writer_that_was_interrupted_leaves_the_next_one_to_ask_for_the_reload(write: Callable[[str], str]) -> None:
    interrupted = "find() { exit 137; }; "
    write("true")
    assert write(f"({interrupted}{script('prometheus', CONFIGURATION)}); rm -rf /tmp/previous /live/*") == (
        "written; prometheus reloaded it"
    )


def _archive(file: File) -> bytes:
    """A file as the provider would upload it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(file.path.lstrip("/"))
        entry.size, entry.mode = len(file.content.encode()), 0o644
        archive.addfile(entry, io.BytesIO(file.content.encode()))
    return buffer.getvalue()
