"""A short-lived container as a gate: what depends on it is not touched unless it ended well."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_docker as docker

from components.container import Container, arguments
from components.host import Host


def run_once(
    container: Container,
    name: str,
    host: Host,
    *,
    parent: pulumi.Resource,
    resource: str | None = None,
    depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
) -> docker.Container:
    """The resource, called `resource` (or `name`), of a container that does its work, after `depends_on`, and ends.

    It is on the stack's own network alone and has no capability, whatever the description says: what only reads the
    files of a service needs neither. It answers to no health check and is never asked to stop.
    """
    once = arguments(replace(container, memory="config-writer"), name, host, log_size="1m", log_files=1)
    once.networks_advanced = [docker.ContainerNetworksAdvancedArgs(name=host.networks.core.name)]
    once.must_run = False
    once.attach = True
    once.logs = True
    once.restart = "no"
    options = host.child_options(parent, depends_on=[host.images[container.image], *depends_on])
    return docker.Container(resource or name, once, options)


def checked(container: docker.Container, what: str) -> pulumi.Output[docker.Container]:
    """`container` once it has exited with 0, for `depends_on`.

    Raises pulumi.RunError with the container's own output when it exited otherwise: the update fails, and goes on
    failing until `what` is right, as the exit code stays in the state. In a preview that replaces the container the
    exit code is not known yet; then nothing is held back.
    """

    def gate(result: object) -> docker.Container:
        if isinstance(result, list) and isinstance(result[0], (int, float)) and result[0] != 0:
            raise pulumi.RunError(f"{what} was refused (exit code {int(result[0])}):\n{str(result[1]).strip()}")
        return container

    return pulumi.Output.all(container.exit_code, container.container_logs).apply(gate, run_with_unknowns=True)
