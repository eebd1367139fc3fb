"""What is found out before anything is touched: ports, addresses and networks, with a real engine and real sockets."""

import dataclasses
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from config.ports import Ports
from config.settings import Settings, load
from ops.errors import OpsError
from ops.stack import preflight
from tests.unit.test_settings import SECRETS


def free_ports() -> Ports:
    """Four ports that nobody has at this moment."""
    probes = [socket.socket() for _ in range(4)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    prometheus, alertmanager, grafana, loki = (probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return Ports(prometheus, alertmanager, grafana, loki)


@pytest.fixture
def settings() -> Settings:
    """A stack of its own, on ports that are free."""
    stack = f"unit-{uuid.uuid4().hex[:8]}"
    plain = load(stack, {"demo": "true", **SECRETS}, environment={}, dotenv=Path("/nonexistent"))
    return dataclasses.replace(plain, ports=free_ports())


@pytest.fixture
def bound(settings: Settings) -> Iterator[int]:
    """The stack's Loki port, taken by another program."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.ports.loki))
        other.listen()
        yield settings.ports.loki


def problem(settings: Settings, engine: docker.DockerClient) -> str:
    """What the check says against these settings."""
    with pytest.raises(OpsError) as caught:
        preflight.check(settings, engine)
    assert caught.value.code == 2
    return str(caught.value)


def test_free_ports_are_accepted(settings: Settings, engine: docker.DockerClient) -> None:
    preflight.check(settings, engine)


def test_a_port_that_another_program_has_is_named_with_its_key(
    settings: Settings, engine: docker.DockerClient, bound: int
) -> None:
    assert problem(settings, engine) == (
        f"monitoring:lokiPort {bound} is taken by another program (Address already in use); "
        "choose another with: pulumi config set monitoring:lokiPort PORT"
    )


def test_a_port_on_another_docker_host_is_not_looked_for_here(
    settings: Settings, engine: docker.DockerClient, bound: int
) -> None:
    preflight.check(dataclasses.replace(settings, docker_host="ssh://ops@monitoring.example"), engine)


def test_grafanas_port_does_not_matter_where_grafana_is_elsewhere(
    settings: Settings, engine: docker.DockerClient
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.ports.grafana))
        other.listen()
        assert "monitoring:grafanaPort" in problem(settings, engine)
        external = dataclasses.replace(settings.grafana, mode="external")
        preflight.check(dataclasses.replace(settings, grafana=external), engine)


@pytest.mark.parametrize("own", [True, False])
def test_a_port_of_a_container_is_taken_unless_it_is_of_this_very_stack(
    own: bool, settings: Settings, engine: docker.DockerClient, image_of: Callable[[str], str]
) -> None:
    # Its name begins like one of this stack's, as that of a stack called "<stack>-2" does.
    name = settings.name("2-loki")
    stack = settings.stack if own else f"{settings.stack}-2"
    network = engine.networks.create(name)
    container = engine.containers.create(
        image_of("alertmanager"),
        ["-c", "sleep 60"],
        entrypoint="/bin/sh",
        name=name,
        labels={"monitoring.project": "monitoring", "monitoring.stack": stack},
        ports={"80/tcp": ("127.0.0.1", settings.ports.loki)},
        network=name,
    )
    try:
        container.start()
        if own:
            preflight.check(settings, engine)
        else:
            assert f"lokiPort {settings.ports.loki} is taken by container {name};" in problem(settings, engine)
    finally:
        container.remove(force=True, v=True)
        network.remove()


def test_an_address_that_is_not_this_machines_is_named(settings: Settings, engine: docker.DockerClient) -> None:
    # 192.0.2.0/24 is for documentation: no machine has an address of it.
    assert problem(dataclasses.replace(settings, bind_address="192.0.2.1"), engine) == (
        "monitoring:bindAddress 192.0.2.1 is no address of this machine; "
        "choose one with: pulumi config set monitoring:bindAddress 127.0.0.1"
    )


def test_every_address_of_the_machine_can_be_published_on(settings: Settings, engine: docker.DockerClient) -> None:
    preflight.check(dataclasses.replace(settings, bind_address="0.0.0.0"), engine)


def test_a_network_to_join_must_be_there(settings: Settings, engine: docker.DockerClient) -> None:
    message = problem(dataclasses.replace(settings, docker_network="nowhere"), engine)
    assert message.startswith(
        "monitoring:dockerNetwork 'nowhere' does not exist on the Docker host; its networks are: "
    )
    assert "bridge" in message
    preflight.check(dataclasses.replace(settings, docker_network="bridge"), engine)


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "unix:///nonexistent/docker.sock", "ftp://docker.example"])
def test_a_docker_host_that_does_not_answer_is_named_with_the_way_out(host: str) -> None:
    with pytest.raises(OpsError) as caught:
        preflight.engine(host, print)
    message = str(caught.value)
    assert message.startswith(f"no Docker engine answers at {host} (monitoring:dockerHost): ")
    assert message.endswith("pulumi config set monitoring:dockerHost ssh://user@host")
    assert "\n" not in message
    assert caught.value.code == 2


def test_the_engine_of_this_machine_answers(engine: docker.DockerClient) -> None:
    assert preflight.engine("", print).ping()


def test_a_filter_that_matches_no_container_is_told_with_their_names(
    settings: Settings, engine: docker.DockerClient, image_of: Callable[[str], str]
) -> None:
    said: list[str] = []
    container = engine.containers.run(
        image_of("prometheus"), ["-c", "sleep 60"], entrypoint="/bin/sh", name=settings.name("watched"), detach=True
    )
    try:
        preflight.look_at_filter(settings.name("watc.+"), engine, said.append)
        assert said == []
        preflight.look_at_filter(settings.name("watch"), engine, said.append)
        (warning,) = said
        assert f"monitoring:containerFilter '{settings.name('watch')}' matches none" in warning
        assert settings.name("watched") in warning
    finally:
        container.remove(force=True)
