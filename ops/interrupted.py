"""What an update that was killed half-way may have left outside of the state.

Pulumi notes an operation before it begins and again when it has ended. An object whose creation was begun and never
ended is in Docker, perhaps, and not in the state: nothing would remove it, and its name is taken.
"""

from typing import Any

import docker
from docker.errors import NotFound

from ops.report import say
from ops.workspace import Workspace

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"
_VOLUME = "docker:index/volume:Volume"


def clean_up(workspace: Workspace, engine: docker.DockerClient) -> None:
    """Remove from `engine` what an interrupted update was making, and forget that it was.

    Volumes stay for the next update to take over: one may have been there before, with data.
    """
    exported = workspace.stack.export_stack()
    state: dict[str, Any] = exported.deployment
    pending = state.get("pending_operations") or []
    if not pending:
        return
    known = {resource.get("outputs", {}).get("name") for resource in state.get("resources", [])}
    for operation in pending:
        resource = operation["resource"]
        name = resource.get("inputs", {}).get("name")
        if operation["type"] != "creating" or not name or name in known:
            continue
        find = {_CONTAINER: engine.containers.get, _NETWORK: engine.networks.get}.get(resource["type"])
        try:
            if find:
                found = find(name)
                found.remove(force=True) if resource["type"] == _CONTAINER else found.remove()
                say(f"removed {name}, which an interrupted update left behind")
        except NotFound:
            pass
    state["pending_operations"] = []
    exported.deployment = state
    workspace.stack.import_stack(exported)
