"""What a container is, and what holds for every container of the stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.file import SECRETS_GROUP, File, uploads
from components.host import Host


@dataclass(frozen=True)
class Mount:
    """What a container sees at the path `target`: the host's directory `source`, or the volume of that name."""

    source: pulumi.Input[str]
    target: str
    type: Literal["bind", "volume"] = "bind"
    read_only: bool = True


@dataclass(frozen=True)
class Reach:
    """Who reaches a container, and whom it reaches.

    core      whether it is on the stack's own network, as nearly all are
    engine    whether it is on the network on which Docker may be asked (see docker_proxy.py)
    publish   (container port, host port) of its user interface
    edge      whether it is on the network that leads out; what publishes a port is
    backend   whether it speaks to what is watched, and so joins the network that Settings.docker_network names
    aliases   names that it answers to beside its own
    """

    core: bool = True
    engine: bool = False
    publish: tuple[int, int] | None = None
    edge: bool = False
    backend: bool = False
    aliases: Sequence[str] = ()


@dataclass(frozen=True)
class Stop:
    """How a container is asked to stop: `signal` (None: the image's own), then `grace` seconds until it is killed."""

    grace: int = 10
    signal: str | None = None


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container.

    image          key of config/images.yaml
    component      the component of spec and alerts that it belongs to
    user           `uid:gid` it runs as
    groups         further groups of that user
    entrypoint     what runs in place of the image's own
    command        its arguments
    env            variable -> value; a secret never belongs here, as `docker inspect` shows them
    files          files put into it; a change replaces it
    mounts         what it sees of the host and of volumes
    tmpfs          path -> options of the directories that are kept in memory
    health         the health check's command, which must exist in the image
    capabilities   the Linux capabilities that it keeps; all others are dropped
    devices        devices of the host that it reads
    reach          its networks, names and ports
    dns            servers that Docker asks for names which no container has; the host's own where not given
    dns_options    options of its resolver, as in resolv.conf
    memory         key of Settings.memory, in MiB there; the container's own name where not given
    stop           how it stops
    """

    image: str
    component: str
    user: str
    groups: Sequence[str] = (SECRETS_GROUP,)
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[File] = ()
    mounts: Sequence[Mount] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    health: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    devices: Sequence[str] = ()
    reach: Reach = Reach()
    dns: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    memory: str = ""
    stop: Stop = Stop()


def http_health(port: int, path: str) -> list[str]:
    """The health check of an image that has busybox' wget: `path` answers on `port`."""
    return ["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"]


def bash_health(port: int, path: str) -> list[str]:
    """The health check of an image that has bash, and nothing that speaks HTTP: `path` answers on `port` with 200."""
    request = f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3"
    return ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port} && {request} && grep -q '200 OK' <&3"]


def arguments(container: Container, name: str, host: Host, *, log_size: str, log_files: int) -> docker.ContainerArgs:
    """What the provider is told of any container named `name`; its networks and how it lives are the caller's.

    Takes the size and number of the log files that Docker keeps of it.
    """
    memory = host.settings.memory[container.memory or name]
    return docker.ContainerArgs(
        name=host.settings.name(name),
        image=host.images[container.image].name,
        entrypoints=list(container.entrypoint) or None,
        command=list(container.command) or None,
        user=container.user,
        group_adds=list(container.groups) or None,
        envs=[f"{key}={value}" for key, value in sorted(container.env.items())] or None,
        uploads=uploads(container.files) or None,
        mounts=[_mount(mount) for mount in sorted(container.mounts, key=lambda mount: mount.target)] or None,
        tmpfs=dict(container.tmpfs) or None,
        dns=list(container.dns) or None,
        dns_opts=list(container.dns_options) or None,
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        security_opts=["no-new-privileges:true"],
        # Both or neither: with the first alone, every refresh finds a difference.
        memory=memory,
        memory_swap=memory,
        labels=host.labels(name, container.component),
        log_driver="json-file",
        log_opts={"max-size": log_size, "max-file": str(log_files)},
    )


def _mount(mount: Mount) -> docker.ContainerMountArgs:
    return docker.ContainerMountArgs(
        type=mount.type, source=mount.source, target=mount.target, read_only=True if mount.read_only else None
    )
