"""What every component of a stack shares: its settings, the Docker host, the networks and the images."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from config.labels import COMPONENT_LABEL, SERVICE_LABEL, stack_labels
from config.settings import Settings


@dataclass(frozen=True)
class Networks:
    """`core` is internal and holds nearly everything; `edge` publishes the user interfaces and leads out; `engine` is
    internal too, and holds those who ask Docker and the proxy that answers them.
    """

    core: docker.Network
    engine: docker.Network
    edge: docker.Network


@dataclass(frozen=True)
class Host:
    """The Docker host as the components use it. `images` maps a key of images.yaml to the image resource."""

    settings: Settings
    provider: docker.Provider
    networks: Networks
    images: Mapping[str, docker.RemoteImage]

    def child_options(self, parent: pulumi.Resource, **options: object) -> pulumi.ResourceOptions:
        """Options of a Docker resource that belongs to `parent`; `options` are further ResourceOptions."""
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, **options)  # type: ignore[arg-type]

    def labels(self, service: str, component: str) -> list[docker.ContainerLabelArgs]:
        """The labels of a container of the stack."""
        values = {**stack_labels(self.settings.stack), SERVICE_LABEL: service, COMPONENT_LABEL: component}
        return [docker.ContainerLabelArgs(label=label, value=value) for label, value in sorted(values.items())]
