"""The base of every service: one container with its data volume, limits, health check and log rotation.

Every docker.Container of a service is made here, so what holds for all of them is said once.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.checked import checked
from components.config_writer import ConfigWriter
from components.file import SECRETS_GROUP, File, uploads
from components.host import Host

# Go's canonical form: the provider reads durations back as Go prints them, and another spelling is a permanent
# difference.
_HEALTH_INTERVAL = "5s"
_HEALTH_TIMEOUT = "5s"
_HEALTH_START = "10s"
# Seconds that a container may take to become healthy; a replica copies its primary.
_HEALTH_WAIT = 120


class Service(pulumi.ComponentResource):
    """One service of the stack as a container.

    Takes
      image         key of config/images.yaml
      component     the component of spec and alerts that it belongs to
      user          `uid:gid` it runs as
      health        the health check's command, which must exist in the image
      data          where its data volume is mounted; None keeps nothing
      files         files put into the container; a change replaces it
      config        a ConfigWriter whose volume is mounted at `config.directory`; a change does not replace it
      check         command of the image's own tool that must accept `files` before the container is touched
      publish       (container port, host port) of its user interface
      edge          whether it is on the network that leads out
      backend       whether it speaks to what is watched, and so joins the network that Settings.docker_network names
      grace         seconds that it gets to stop; without them the provider kills it
      memory_key    key of Settings.memory; the service's name where not given
    Gives `container`, `volume` where it keeps data, and `identities`: ids that change with each deployment.
    """

    container: docker.Container
    volume: docker.Volume | None

    def __init__(
        self,
        service: str,
        host: Host,
        *,
        image: str,
        component: str,
        user: str,
        health: Sequence[str],
        command: Sequence[str] | None = None,
        entrypoint: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        data: str | None = None,
        files: Sequence[File] = (),
        config: ConfigWriter | None = None,
        config_directory: str = "",
        check: Sequence[str] | None = None,
        publish: tuple[int, int] | None = None,
        edge: bool = False,
        backend: bool = False,
        aliases: Sequence[str] = (),
        grace: int = 10,
        stop_signal: str | None = None,
        binds: Mapping[str, str] | None = None,
        tmpfs: Mapping[str, str] | None = None,
        add_capabilities: Sequence[str] = (),
        devices: Sequence[str] = (),
        pid_mode: Literal["host"] | None = None,
        memory_key: str | None = None,
        depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(f"monitoring:service:{type(self).__name__}", service, {}, opts)
        settings = host.settings
        mounts = [
            docker.ContainerMountArgs(type="bind", source=source, target=target, read_only=True)
            for source, target in (binds or {}).items()
        ]
        self.volume = None
        waits: list[pulumi.Input[pulumi.Resource]] = [host.images[image], *depends_on]
        if data:
            self.volume = docker.Volume(
                f"{service}-data",
                name=settings.name(service),
                opts=host.child_options(self, protect=settings.protect, retain_on_delete=settings.protect),
            )
            mounts.append(docker.ContainerMountArgs(type="volume", source=self.volume.name, target=data))
        if config:
            mounts.append(
                docker.ContainerMountArgs(
                    type="volume", source=config.volume.name, target=config_directory, read_only=True
                )
            )
            waits.append(config.written)
        if check:
            waits.append(self._check(service, host, image, component, check, files, user))
        networks = [
            docker.ContainerNetworksAdvancedArgs(name=host.networks.core.name, aliases=sorted({service, *aliases}))
        ]
        if edge or publish:
            networks.append(docker.ContainerNetworksAdvancedArgs(name=host.networks.edge.name))
        joined = settings.docker_network if backend else ""
        if joined:
            # Somebody else's: the stack neither makes nor removes it.
            networks.append(docker.ContainerNetworksAdvancedArgs(name=joined))
        memory = settings.memory[memory_key or service]
        self.container = docker.Container(
            f"{service}-container",
            name=settings.name(service),
            # Docker answers to it in every network, and in somebody else's the name may be taken.
            hostname=None if joined else service,
            image=host.images[image].name,
            entrypoints=list(entrypoint) if entrypoint else None,
            command=list(command) if command else None,
            user=user,
            group_adds=[SECRETS_GROUP],
            envs=[f"{key}={value}" for key, value in sorted((env or {}).items())] or None,
            uploads=uploads(files) or None,
            mounts=sorted(mounts, key=lambda mount: str(mount.target)) or None,
            tmpfs=dict(tmpfs) if tmpfs else None,
            networks_advanced=networks,
            ports=[docker.ContainerPortArgs(internal=publish[0], external=publish[1], ip=settings.bind_address)]
            if publish
            else None,
            # The provider writes uploads into the root file system before the start, which a read-only one refuses.
            read_only=not files,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(add_capabilities)),
            devices=[docker.ContainerDeviceArgs(host_path=path, container_path=path) for path in devices] or None,
            security_opts=["no-new-privileges:true"],
            pid_mode=pid_mode,
            # Both or neither: with the first alone, every refresh finds a difference.
            memory=memory,
            memory_swap=memory,
            labels=host.labels(service, component),
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", *health],
                interval=_HEALTH_INTERVAL,
                timeout=_HEALTH_TIMEOUT,
                # All of them are set, as Docker takes what is not from the image: a permanent difference.
                start_period=_HEALTH_START,
                retries=3,
            ),
            wait=True,
            wait_timeout=_HEALTH_WAIT,
            restart="unless-stopped",
            destroy_grace_seconds=grace,
            stop_signal=stop_signal,
            stop_timeout=grace,
            opts=host.child_options(
                self,
                depends_on=waits,
                # The provider updates these in the state alone (its Update does not handle them).
                replace_on_changes=["healthcheck", "tmpfs"],
            ),
        )
        # What changes with each deployment of the service or of its configuration.
        self.identities = [self.container.id] + ([config.writer.id] if config else [])
        self.register_outputs({"container": self.container.name})

    def _check(
        self,
        service: str,
        host: Host,
        image: str,
        component: str,
        check: Sequence[str],
        files: Sequence[File],
        user: str,
    ) -> pulumi.Output[docker.Container]:
        """The gate for services that read their configuration only when they start, so that a change replaces them."""
        memory = host.settings.memory["config-writer"]
        name = f"{service}-check"
        container = docker.Container(
            name,
            name=host.settings.name(name),
            image=host.images[image].name,
            entrypoints=[check[0]],
            command=list(check[1:]),
            user=user,
            group_adds=[SECRETS_GROUP],
            uploads=uploads(files),
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            labels=host.labels(name, component),
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=host.networks.core.name)],
            memory=memory,
            memory_swap=memory,
            log_driver="json-file",
            log_opts={"max-size": "1m", "max-file": "1"},
            must_run=False,
            attach=True,
            logs=True,
            restart="no",
            opts=host.child_options(self, depends_on=[host.images[image]]),
        )
        return checked(container, f"the configuration of {service}")
