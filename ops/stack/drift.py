"""What somebody changed by hand in Grafana, which Pulumi knows only after a refresh."""

import httpx

from ops.errors import OpsError
from ops.report import warn
from ops.stack import update
from ops.stack.state import State
from ops.stack.workspace import Workspace

# Seconds for Grafana to answer.
_TIMEOUT = 5
CONTENT = "**grafana:oss/**"
"""The URNs of what is in Grafana, as a pattern of Pulumi's."""


def answers(state: State) -> bool:
    """Whether the Grafana of the last update is there to be asked."""
    try:
        httpx.get(f"{state.grafana()['url']}/api/health", timeout=_TIMEOUT)
    except httpx.TransportError:
        return False
    return True


def look_into_grafana(workspace: Workspace, state: State) -> None:
    """Read what is in Grafana into the state, with the credentials of the last update; a dead Grafana is left alone.

    They are tried once before: a refresh with wrong ones would be a failed log-in for each resource, and lock the
    administrator out. Where they are refused, this says so and changes nothing, as it is the update that mends it.
    """
    if not state.grafana_content():
        return
    provider = state.grafana()
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
        update.refresh(workspace, target=[CONTENT])
    except httpx.TransportError:
        return
    except (httpx.HTTPStatusError, OpsError) as error:
        warn(f"what was changed by hand in Grafana stays unknown, as it cannot be read: {error}")
