"""What an update that failed or was killed half-way may have left outside of the state.

When an update fails, the engine stops waiting for what else it is making, and when it is killed, it notes nothing: a
container may be in Docker and not in the state. Nothing would remove it, and its name is taken.
"""

from typing import Any

import docker
from docker.errors import NotFound

from ops.report import say
from ops.stack import takeover
from ops.stack.engine import Look, remove
from ops.stack.state import CONTAINER, NETWORK, State
from ops.stack.workspace import Workspace


def clean_up(workspace: Workspace, state: State, look: Look, engine: docker.DockerClient) -> bool:
    """Remove from `engine` what an earlier update of this stack was making when it ended, and forget that it was.

    Gives whether there was anything, so that `look` does not hold any more. Volumes stay for the next update to take
    over: one may have been there before, with data.
    """
    pending = state.pending
    names = {resource.get("outputs", {}).get("name") for resource in state.resources}
    for operation in pending:
        _remove_unfinished(operation, names, engine)
    if pending:
        state.forget(workspace, (), pending=True)
    # The containers of another state's stack of the same name are not ours to remove.
    ours = not takeover.is_unknown(state, look)
    strays = [container for container in look.containers.values() if ours and container.id not in state.ids()]
    for container in strays:
        remove(engine, container.id)
        say(f"removed {container.name}, which an interrupted update left behind")
    return bool(pending or strays)


def _remove_unfinished(operation: dict[str, Any], known: set[str], engine: docker.DockerClient) -> None:
    """Remove what an operation was creating when Pulumi itself was killed, if it got that far."""
    resource = operation["resource"]
    name = resource.get("inputs", {}).get("name")
    if operation["type"] != "creating" or not name or name in known:
        return
    try:
        if resource["type"] == CONTAINER:
            engine.containers.get(name).remove(force=True, v=True)
        elif resource["type"] == NETWORK:
            engine.networks.get(name).remove()
        else:
            return
        say(f"removed {name}, which an interrupted update left behind")
    except NotFound:
        pass
