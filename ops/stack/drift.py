"""What somebody changed by hand in Grafana, which Pulumi knows only after a refresh."""

import json
from typing import Any

import httpx

from ops.errors import OpsError
from ops.report import warn
from ops.stack import update
from ops.stack.workspace import Workspace

# Seconds for Grafana to answer.
_TIMEOUT = 5


def look_into_grafana(workspace: Workspace) -> None:
    """Read what is in Grafana into the state, with the credentials of the last update; a dead Grafana is left alone.

    They are tried once before: a refresh with wrong ones would be a failed log-in for each resource, and lock the
    administrator out. Where they are refused, this says so and changes nothing, as it is the update that mends it.
    """
    provider = _provider(workspace)
    if not provider:
        return
    user, separator, password = provider["auth"].partition(":")
    headers = {} if separator else {"Authorization": f"Bearer {user}"}
    try:
        answer = httpx.get(
            f"{provider['url']}/api/org",
            auth=(user, password) if separator else None,
            headers=headers,
            timeout=_TIMEOUT,
        )
        answer.raise_for_status()
        update.refresh(workspace, target=["**grafana:oss/**"])
    except httpx.TransportError:
        return
    except (httpx.HTTPStatusError, OpsError) as error:
        warn(f"what was changed by hand in Grafana stays unknown, as it cannot be read: {error}")


def _provider(workspace: Workspace) -> dict[str, str]:
    """Address and credentials of the Grafana in the state; empty when it has none."""
    exported = workspace.pulumi("stack", "export", "--show-secrets", capture_output=True)
    if exported.returncode:
        raise OpsError(exported.stderr.strip())
    deployment: dict[str, Any] = json.loads(exported.stdout)["deployment"]
    for resource in deployment.get("resources", []):
        if resource["type"] == "pulumi:providers:grafana":
            inputs = resource["inputs"]
            auth = inputs["auth"]
            # A secret is an object around its JSON.
            return {"url": inputs["url"], "auth": auth if isinstance(auth, str) else json.loads(auth["plaintext"])}
    return {}
