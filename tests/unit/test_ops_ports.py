"""The ports of pull requests' stacks: free when they are found, each other's never, and kept."""

import socket
from collections.abc import Collection
from pathlib import Path

import docker
import pytest
import yaml

from config.ports import PORT_KEYS
from config.project import PROJECT
from ops.errors import OpsError
from ops.stack import ports
from ops.stack.stack_file import write

SERVICES = tuple(PORT_KEYS)


def noted(directory: Path, stack: str, engine: docker.DockerClient) -> list[int]:
    """The ports in the file of a stack that is made, or found again."""

    def find(_host: str, services: Collection[str], reserved: Collection[int]) -> dict[str, int]:
        return ports.find(stack, services, engine, reserved, here=True)

    write(stack, directory, {}, find)
    config = yaml.safe_load((directory / f"Pulumi.{stack}.yaml").read_text())["config"]
    return [int(config[f"{PROJECT}:{key}"]) for key in PORT_KEYS.values()]


def test_any_number_has_ports_beside_any_other(tmp_path: Path, engine: docker.DockerClient) -> None:
    """Also those that a formula of the number gave the same ones, or the kernel's own."""
    numbers = (53, 4553, 1277, 4500, 987654321)
    found = [port for number in numbers for port in noted(tmp_path, f"pr-{number}", engine)]
    assert len(set(found)) == len(SERVICES) * len(numbers)
    kernel = Path("/proc/sys/net/ipv4/ip_local_port_range")
    assert max(found) < int(kernel.read_text().split()[0])
    assert min(found) > 1024


def test_a_stack_keeps_the_ports_that_it_was_made_with(tmp_path: Path, engine: docker.DockerClient) -> None:
    first = noted(tmp_path, "pr-77", engine)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first[0]))
        other.listen()
        assert noted(tmp_path, "pr-77", engine) == first


def test_a_stack_from_before_keeps_those_of_its_number(tmp_path: Path, engine: docker.DockerClient) -> None:
    (tmp_path / "Pulumi.pr-4553.yaml").write_text("{encryptionsalt: 'v1:salt', config: {monitoring:demo: true}}")
    assert noted(tmp_path, "pr-4553", engine) == [20530, 20531, 20532, 20533]


def test_a_port_that_a_program_has_is_not_taken(engine: docker.DockerClient) -> None:
    wanted = ports.find("pr-78", SERVICES, engine, (), here=True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", wanted["prometheus"]))
        other.listen()
        found = ports.find("pr-78", SERVICES, engine, (), here=True)
    assert wanted["prometheus"] not in found.values()


def test_where_all_are_taken_the_message_says_so(engine: docker.DockerClient) -> None:
    with pytest.raises(OpsError, match="no port is free for stack pr-79 below .*destroy a stack") as caught:
        ports.find("pr-79", SERVICES, engine, range(65536), here=True)
    assert caught.value.code == 2
