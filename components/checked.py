"""A short-lived container as a gate: what depends on it is not touched unless it ended well."""

import pulumi
import pulumi_docker as docker


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
