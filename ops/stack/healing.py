"""What differs from what Pulumi left behind, because of somebody's hand or a dead engine: said in words, and mended.

Pulumi compares the program with its state, and so does not see that a container is gone or stopped. What needs no
Pulumi (start, unpause, connect, rename) is done here; what is gone is dropped from the state, so that the very update
that follows makes it anew. What was edited in Grafana is `drift`'s matter.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import docker
from docker.errors import APIError

from ops.errors import OpsError
from ops.report import say
from ops.stack.engine import Container, Look, remove
from ops.stack.state import CONTAINER, NETWORK, VOLUME, Known, State, service_of
from ops.stack.workspace import Workspace

_STOPPED = frozenset({"exited", "created"})
_DYING = frozenset({"dead", "removing"})
# Seconds.
_GRAFANA_START = 60


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, in words; `gone` are the URNs that must be made anew.

    For what is still there: `container`, and what `known` it should be. `remove` says that it cannot be mended as it
    is, and goes before its like is made.
    """

    words: str
    gone: frozenset[str] = frozenset()
    container: Container | None = None
    known: Known | None = None
    remove: bool = False


def differences(state: State, look: Look) -> list[Finding]:
    """What of the things in `state` is not there, or not as the last update left it; changes nothing."""
    lost_volumes = {
        volume.name: volume
        for volume in state.of_type(VOLUME)
        if volume.name not in look.mounted and volume.name not in look.volumes
    }
    lost_networks = {
        network.name: network
        for network in state.of_type(NETWORK)
        if network.name not in look.joined and network.id not in look.networks
    }
    findings = [*_of_volumes(lost_volumes.values(), state), *_of_networks(lost_networks.values())]
    for known in state.of_type(CONTAINER):
        findings += _of_container(known, look.containers.get(known.id), set(lost_volumes), set(lost_networks))
    return findings


def mend(findings: Collection[Finding], state: State, workspace: Workspace, engine: docker.DockerClient) -> set[str]:
    """Say each finding, and mend it; what must be made anew is dropped from the state for the update that follows.

    Gives the services that it started. Raises OpsError where a name is taken that something must have again.
    """
    gone: set[str] = set()
    started: set[str] = set()
    for finding in findings:
        say(finding.words)
        gone |= finding.gone
        if not finding.container or not finding.known:
            continue
        if finding.remove:
            remove(engine, finding.container.id)
        elif problem := _put_right(engine, finding.container, finding.known):
            service = service_of(finding.known.urn)
            say(f"{service}: {problem}; it is made anew instead")
            remove(engine, finding.container.id)
            gone.add(finding.known.urn)
        elif not finding.container.runs:
            started.add(finding.container.service)
    if gone:
        state.forget(workspace, gone)
    return started


def wait_for_grafana(look: Callable[[], Look]) -> None:
    """Wait until a Grafana that was just started answers, so that what is in it can be read and written.

    `look` gives what is there now. One that does not become healthy is left to the update and the checks after it.
    """
    deadline = time.monotonic() + _GRAFANA_START
    while time.monotonic() < deadline:
        grafana = look().by_service.get("grafana")
        if not grafana or grafana.healthy:
            return
        time.sleep(1)


def _of_volumes(lost: Collection[Known], state: State) -> Iterator[Finding]:
    for volume in lost:
        # What lay in Grafana's database went with it, and Grafana cannot be asked.
        content = state.grafana_content() if service_of(volume.urn) == "grafana" else []
        yield Finding(
            f"volume {volume.name}: removed by hand, will be made anew, empty", frozenset({volume.urn, *content})
        )


def _of_networks(lost: Collection[Known]) -> Iterator[Finding]:
    for network in lost:
        yield Finding(f"network {network.name}: removed by hand, will be made anew", frozenset({network.urn}))


def _of_container(
    known: Known, container: Container | None, volumes: Collection[str], networks: Collection[str]
) -> Iterator[Finding]:
    """What is wrong with one container; `volumes` and `networks` are the names of those that are lost."""
    service = service_of(known.urn)
    if container is None or container.state in _DYING:
        fate = _fate_of_data(known, volumes)
        yield Finding(
            f"{service}: removed by hand, will be made anew{fate}",
            frozenset({known.urn}),
            container,
            known,
            remove=True,
        )
        return
    without = [f"volume {name}" for name in sorted(known.volumes & set(volumes))]
    without += [f"network {name}" for name in sorted(set(known.networks) & set(networks))]
    if without:
        words = f"{service}: has lost {' and '.join(without)}, will be made anew{_fate_of_data(known, volumes)}"
        yield Finding(words, frozenset({known.urn}), container, known, remove=True)
        return
    wrong = []
    if container.name != known.name:
        wrong.append(f"renamed to {container.name}")
    if known.must_run and container.state in _STOPPED:
        wrong.append(f"stopped by hand ({container.status})" if container.state == "exited" else "never started")
    if known.must_run and container.state == "paused":
        wrong.append("paused")
    if away := sorted(set(known.networks) - container.networks):
        wrong.append(f"disconnected from {' and '.join(away)}")
    if wrong and (known.must_run or container.name != known.name):
        yield Finding(f"{service}: {', '.join(wrong)}; will be put right", container=container, known=known)


def _fate_of_data(known: Known, lost: Collection[str]) -> str:
    if not known.volumes:
        return ""
    return "; its data is gone with its volume" if known.volumes & set(lost) else "; its data is kept"


def _put_right(engine: docker.DockerClient, container: Container, known: Known) -> str:
    """Bring a container that is there to what it was; gives what the engine said against it, empty where it did."""
    api = engine.api
    if container.name != known.name:
        try:
            api.rename(container.id, known.name)
        except APIError as error:
            raise OpsError(
                f"{container.name} must be called {known.name} again, and cannot: {error.explanation}; "
                f"remove or rename what has that name, then run the same command again"
            ) from None
    if not known.must_run:
        return ""
    try:
        for network in sorted(set(known.networks) - container.networks):
            api.connect_container_to_network(container.id, network, aliases=list(known.networks[network]))
        if container.state == "paused":
            api.unpause(container.id)
        elif container.state in _STOPPED:
            api.start(container.id)
    except APIError as error:
        return str(error.explanation)
    return ""
