"""What an update that failed or was killed half-way may have left outside of the state.

When an update fails, the engine stops waiting for what else it is making, and when it is killed, it notes nothing: a
container may be in Docker and not in the state. Nothing would remove it, and its name is taken.
"""

from collections.abc import Iterator
from typing import Any

import docker
from docker.errors import NotFound
from docker.models.containers import Container
from pulumi.automation import CommandError

from config.settings import PROJECT
from ops.errors import OpsError
from ops.report import say
from ops.stack.workspace import Workspace, explain, release_dead_lock

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"


def clean_up(workspace: Workspace, engine: docker.DockerClient) -> None:
    """Remove from `engine` what an earlier update of this stack was making when it ended, and forget that it was.

    Volumes stay for the next update to take over: one may have been there before, with data. Raises OpsError where
    another update of the stack is under way.
    """
    if release_dead_lock(workspace):
        say("the last update of this stack was killed; its lock is released")
    exported = workspace.stack.export_stack()
    state: dict[str, Any] = dict(exported.deployment or {})
    for container in _strays(workspace.stack.name, state, engine):
        container.remove(force=True, v=True)
        say(f"removed {container.name}, which an interrupted update left behind")
    pending = state.get("pending_operations") or []
    for operation in pending:
        _remove_unfinished(operation, state, engine)
    if pending:
        state["pending_operations"] = []
        exported.deployment = state
        try:
            workspace.stack.import_stack(exported)
        except CommandError as error:
            raise OpsError(explain(str(error), workspace.stack.name)) from None


def _strays(stack: str, state: dict[str, Any], engine: docker.DockerClient) -> Iterator[Container]:
    """The stack's containers that its state does not know.

    Only where a network of this very state is on this engine: that is the proof that the stack's containers here are
    of this state, and not of another one's stack of the same name.
    """
    known = {resource.get("id") for resource in state.get("resources", [])}
    networks = {resource.get("id") for resource in state.get("resources", []) if resource["type"] == _NETWORK}
    if not networks & {network.id for network in engine.networks.list()}:
        return
    labels = [f"monitoring.project={PROJECT}", f"monitoring.stack={stack}"]
    for container in engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True):
        if container.id not in known:
            yield container


def _remove_unfinished(operation: dict[str, Any], state: dict[str, Any], engine: docker.DockerClient) -> None:
    """Remove what an operation was creating when Pulumi itself was killed, if it got that far."""
    resource = operation["resource"]
    name = resource.get("inputs", {}).get("name")
    known = {other.get("outputs", {}).get("name") for other in state.get("resources", [])}
    if operation["type"] != "creating" or not name or name in known:
        return
    try:
        if resource["type"] == _CONTAINER:
            engine.containers.get(name).remove(force=True, v=True)
        elif resource["type"] == _NETWORK:
            engine.networks.get(name).remove()
        else:
            return
        say(f"removed {name}, which an interrupted update left behind")
    except NotFound:
        pass
