"""The base of every service: one container that stays, with its data volume, health check and configuration."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_docker as docker

from components.config_writer import ConfigWriter
from components.container import Container, Mount, Reach, arguments
from components.host import Host
from components.once import checked, run_once

# Go's canonical form: the provider reads durations back as Go prints them, and another spelling is a permanent
# difference. Engines before 25 check first after that interval; one that is shorter has its price, as each check of a
# container costs the engine some 50 ms of CPU for as long as it runs.
_HEALTH_INTERVAL = "5s"
_HEALTH_TIMEOUT = "5s"
_HEALTH_START = "10s"
# Seconds that a container may take to become healthy; a replica copies its primary.
_HEALTH_WAIT = 120


class Service(pulumi.ComponentResource):
    """One service of the stack as a container.

    Takes
      container    what the container is
      data         where its data volume is mounted; None keeps nothing
      keep_volume_name   whether a volume that is there keeps its name, which is then another service's
      config       a ConfigWriter whose volume is mounted where its files belong; a change does not replace the service
      check        command of the image's own tool that must accept `container.files` before the service is touched
    Gives `container`, `volume` where it keeps data, and `identities`: ids that change with each deployment.
    """

    container: docker.Container
    volume: docker.Volume | None

    def __init__(
        self,
        service: str,
        host: Host,
        container: Container,
        *,
        data: str | None = None,
        keep_volume_name: bool = False,
        config: ConfigWriter | None = None,
        check: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(f"monitoring:service:{type(self).__name__}", service, {}, opts)
        settings = host.settings
        mounts = list(container.mounts)
        self.volume = None
        waits: list[pulumi.Input[pulumi.Resource]] = [host.images[container.image]]
        if data:
            self.volume = docker.Volume(
                f"{service}-data",
                name=settings.name(service),
                opts=host.child_options(
                    self,
                    protect=settings.protect,
                    retain_on_delete=settings.protect,
                    ignore_changes=["name"] if keep_volume_name else None,
                ),
            )
            mounts.append(Mount(self.volume.name, data, "volume", read_only=False))
        if config:
            mounts.append(Mount(config.volume.name, config.directory, "volume"))
            waits.append(config.written)
        if check:
            # For what reads its configuration only when it starts, so that a change replaces it.
            checking = replace(container, entrypoint=check[:1], command=check[1:], mounts=())
            gate = run_once(checking, f"{service}-check", host, parent=self)
            waits.append(checked(gate, f"the configuration of {service}"))
        self.container = docker.Container(
            f"{service}-container",
            _arguments(replace(container, mounts=mounts), service, host),
            host.child_options(
                self,
                depends_on=waits,
                # The provider updates these in the state alone (its Update does not handle them).
                replace_on_changes=["healthcheck", "tmpfs"],
            ),
        )
        # What changes with each deployment of the service or of its configuration.
        self.identities = [self.container.id] + ([config.writer.id] if config else [])
        self.register_outputs({"container": self.container.name})


def _arguments(container: Container, service: str, host: Host) -> docker.ContainerArgs:
    """What the provider is told of a container that stays."""
    stays = arguments(container, service, host, log_size="10m", log_files=3)
    settings, reach = host.settings, container.reach
    joined = settings.docker_network if reach.backend else ""
    # Docker answers to it in every network, and in somebody else's the name may be taken.
    stays.hostname = None if joined else service
    stays.networks_advanced = _networks(reach, service, host, joined)
    if reach.publish:
        internal, external = reach.publish
        stays.ports = [docker.ContainerPortArgs(internal=internal, external=external, ip=settings.bind_address)]
    # The provider writes uploads into the root file system before the start, which a read-only one refuses.
    stays.read_only = not container.files
    stays.capabilities = docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(container.capabilities))
    stays.devices = [
        docker.ContainerDeviceArgs(host_path=path, container_path=path) for path in container.devices
    ] or None
    stays.healthcheck = docker.ContainerHealthcheckArgs(
        tests=["CMD", *container.health],
        interval=_HEALTH_INTERVAL,
        timeout=_HEALTH_TIMEOUT,
        # All of them are set, as Docker takes what is not from the image: a permanent difference.
        start_period=_HEALTH_START,
        # Older engines than 25 refuse a container that has one.
        start_interval=settings.health_start_interval or None,
        retries=3,
    )
    stays.wait = True
    stays.wait_timeout = _HEALTH_WAIT
    stays.restart = "unless-stopped"
    stays.destroy_grace_seconds = container.stop.grace
    stays.stop_timeout = container.stop.grace
    stays.stop_signal = container.stop.signal
    return stays


def _networks(reach: Reach, service: str, host: Host, joined: str) -> list[docker.ContainerNetworksAdvancedArgs]:
    """The networks of a service; `joined` is the name of one that is somebody else's: the stack makes no such."""
    core, edge = host.networks.core.name, host.networks.edge.name
    names = sorted({service, *reach.aliases})
    networks = [docker.ContainerNetworksAdvancedArgs(name=core, aliases=names)] if reach.core else []
    if reach.engine:
        networks.append(docker.ContainerNetworksAdvancedArgs(name=host.networks.engine.name, aliases=names))
    if reach.edge or reach.publish:
        networks.append(docker.ContainerNetworksAdvancedArgs(name=edge))
    if joined:
        networks.append(docker.ContainerNetworksAdvancedArgs(name=joined))
    return networks
