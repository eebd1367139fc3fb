"""One look at what is really there of a stack on its Docker engine: containers, volumes and networks.

Healing, preview, take-over, the checks before an update and the validation's service status all judge by this look, so
that the engine is asked once and everybody sees the same.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import docker
from docker.errors import APIError, NotFound

from config.defaults import DEFAULT_MEMORY
from config.labels import PROJECT_LABEL, SERVICE_LABEL, STACK_LABEL, stack_labels
from config.project import PROJECT
from config.stack_name import EPHEMERAL


@dataclass(frozen=True)
class Container:
    """A container as the engine lists it.

    `state` is Docker's: created, running, paused, restarting, removing, exited or dead. `status` is the same in its
    words for people, such as "Up 5 minutes (healthy)". `networks` are the names of those that it is connected to,
    `volumes` the names of those that it mounts, `ports` the host's ports that it publishes. `created` is in UTC.
    """

    id: str
    name: str
    service: str
    state: str
    status: str
    networks: frozenset[str]
    volumes: frozenset[str]
    ports: frozenset[int]
    created: datetime

    @property
    def runs(self) -> bool:
        """Whether its process is there, and not frozen."""
        return self.state == "running"

    @property
    def healthy(self) -> bool:
        """Whether it runs, and its own health check says that it is well."""
        return self.runs and self.status.endswith("(healthy)")


@dataclass(frozen=True)
class Look:
    """What the engine has of the stack `stack`; `containers` by id.

    Where every container is in its place, its volumes and networks are there, too; so the engine is asked for those
    only when somebody wants to know of one that no container speaks for.
    """

    stack: str
    containers: Mapping[str, Container]
    _engine: docker.DockerClient = field(repr=False, compare=False)

    @cached_property
    def networks(self) -> Mapping[str, str]:
        """Id -> name of the stack's networks."""
        found = self._engine.api.networks(filters={"label": _labels(self.stack)})
        return {network["Id"]: network["Name"] for network in found}

    @cached_property
    def volumes(self) -> frozenset[str]:
        """Names of the stack's volumes.

        Known by their names, as they have no labels: to label a volume that exists, the provider would replace it, and
        its data would be lost.
        """
        prefix = f"{PROJECT}-{self.stack}-"
        found = self._engine.api.volumes(filters={"name": prefix})["Volumes"] or []
        return frozenset(volume["Name"] for volume in found if _is_service(volume["Name"].removeprefix(prefix)))

    @property
    def mounted(self) -> frozenset[str]:
        """Names of the volumes that a container of the stack mounts, which therefore are there."""
        return frozenset(name for container in self.containers.values() for name in container.volumes)

    @property
    def joined(self) -> frozenset[str]:
        """Names of the networks that a running container of the stack is in, which therefore are there."""
        return frozenset(
            name for container in self.containers.values() if container.runs for name in container.networks
        )

    @property
    def by_service(self) -> Mapping[str, Container]:
        """Service -> its container."""
        return {container.service: container for container in self.containers.values()}


def look(engine: docker.DockerClient, stack: str) -> Look:
    """What `engine` has of the stack `stack`, by one request."""
    found = engine.api.containers(all=True, filters={"label": _labels(stack)})
    containers = [_container(listed) for listed in found]
    return Look(stack, {container.id: container for container in containers}, engine)


def stacks(engine: docker.DockerClient) -> set[str]:
    """Names of the stacks that `engine` has containers or networks of, and of ephemeral ones with volumes alone.

    A volume has no label, and only the name of an ephemeral stack can be told from what follows it.
    """
    ours = {"label": f"{PROJECT_LABEL}={PROJECT}"}
    labelled = [*engine.api.containers(all=True, filters=ours), *engine.api.networks(filters=ours)]
    found = {str((thing["Labels"] or {}).get(STACK_LABEL, "")) for thing in labelled} - {""}
    volumes = engine.api.volumes(filters={"name": f"{PROJECT}-pr-"})["Volumes"] or []
    for volume in volumes:
        match = re.match(rf"{PROJECT}-({EPHEMERAL.pattern})-(.+)", volume["Name"])
        if match and _is_service(match[3]):
            found.add(match[1])
    return found


def remove(engine: docker.DockerClient, container: str) -> None:
    """Stop the container of that id in its own way and time, and remove it; volumes that have a name stay."""
    with suppress(APIError):  # such as one that is dead, or on its way out: removed by force in any case
        engine.api.stop(container)
    with suppress(NotFound):
        engine.api.remove_container(container, force=True, v=True)


def taken_ports(engine: docker.DockerClient) -> dict[int, Mapping[str, Any]]:
    """Host port -> the running container that publishes it, as the engine lists it, of every stack and of none."""
    return {
        port["PublicPort"]: listed
        for listed in engine.api.containers()
        for port in listed["Ports"] or []
        if port.get("PublicPort")
    }


def name_of(listed: Mapping[str, Any]) -> str:
    """The name of a container as the engine lists it."""
    return str(min(listed["Names"] or [listed["Id"][:12]], key=len)).removeprefix("/")


def owner_of(listed: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The project and the stack that a container as the engine lists it belongs to."""
    labels = listed["Labels"] or {}
    return labels.get(PROJECT_LABEL), labels.get(STACK_LABEL)


def _container(listed: Mapping[str, Any]) -> Container:
    return Container(
        id=listed["Id"],
        name=name_of(listed),
        service=(listed["Labels"] or {}).get(SERVICE_LABEL, ""),
        state=listed["State"],
        status=listed["Status"],
        networks=frozenset(listed["NetworkSettings"]["Networks"] or {}),
        volumes=frozenset(mount["Name"] for mount in listed["Mounts"] if mount["Type"] == "volume"),
        ports=frozenset(port["PublicPort"] for port in listed["Ports"] or [] if port.get("PublicPort")),
        created=datetime.fromtimestamp(listed["Created"], UTC),
    )


def _labels(stack: str) -> list[str]:
    return [f"{label}={value}" for label, value in stack_labels(stack).items()]


def _is_service(name: str) -> bool:
    """Whether a volume whose name ends so is of this stack: dev's prefix also begins the names of a stack dev-2."""
    return name.removesuffix("-config") in DEFAULT_MEMORY
