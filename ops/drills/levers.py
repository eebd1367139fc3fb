"""What a fault can pull: the knobs of the demo, and the containers of the stack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
import tenacity
from docker.errors import DockerException, NotFound
from docker.models.containers import Container

from config.settings import Settings
from ops.errors import OpsError

# Runs inside the container of the demo, whose control API is on no other network.
_TURN = """
import json, sys, urllib.request
body = json.dumps(json.loads(sys.argv[1])).encode() if sys.argv[1] != "null" else None
request = urllib.request.Request("http://127.0.0.1:8088/state", body, {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=20).read().decode())
"""


@dataclass(frozen=True)
class Levers:
    """What a fault can pull: a running stack and its engine."""

    settings: Settings
    engine: docker.DockerClient

    def container(self, service: str) -> Container:
        """The container of a service; OpsError where it is not there."""
        name = self.settings.name(service)
        try:
            return self.engine.containers.get(name)
        except NotFound as error:
            raise OpsError(f"there is no container {name}: bring the stack up first") from error

    # Undoing must not fail because the machine is busy: then an answer may be late, or empty.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((OpsError, DockerException, ValueError)),
        stop=tenacity.stop_after_attempt(5),
        wait=tenacity.wait_fixed(2),
        reraise=True,
    )
    def knobs(self, changes: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """Turns knobs of the demo, and gives all of them as they are then; without changes it only reads."""
        result = self.container("demo").exec_run(["python3", "-c", _TURN, json.dumps(changes)])
        assert isinstance(result.output, bytes)
        if result.exit_code:
            raise OpsError(f"the demo did not take {changes}: {result.output.decode().strip().splitlines()[-1]}")
        state: dict[str, dict[str, Any]] = json.loads(result.output)
        return state
