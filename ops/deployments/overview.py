"""What runs where: every stack that this state or a Docker engine knows."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import docker
from docker.errors import DockerException

from ops.deployments.record import Deployment, history
from ops.deployments.revision import Revision
from ops.errors import OpsError
from ops.stack.backend import Backend
from ops.stack.engine import Look, look, stacks
from ops.stack.healing import differences
from ops.stack.state import State

Connect = Callable[[str], docker.DockerClient]
"""A client of the Docker engine at an address, empty for this machine's; raises DockerException or OSError."""


@dataclass(frozen=True)
class StackNow:
    """One stack; times are in UTC.

    `host` is the address of its Docker engine, empty for this machine's, and `answers` whether that answers. `known` is
    whether the state knows it. `containers`, and of them those that run, are those of the engine. `deployed` is the
    last update, `made` the first one since it was last destroyed, `seen` the last sign of life of it. `result` is how
    the last update ended. `drift` is what is not as that update left it, in words. `problem` is why its state cannot be
    read, as with another's passphrase; then hardly more than its name is known.
    """

    name: str
    host: str
    answers: bool
    known: bool
    protected: bool
    containers: int
    running: int
    there: bool
    made: datetime | None
    deployed: datetime | None
    seen: datetime | None
    revision: Revision
    result: str
    drift: tuple[str, ...]
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; times as ISO 8601."""
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(self).items()}


def overview(backend: Backend, connect: Connect) -> list[StackNow]:
    """Every stack by name. Raises OpsError where the state cannot be read."""
    changed = backend.stacks()
    with ThreadPoolExecutor() as pool:
        states = dict(zip(changed, pool.map(lambda name: _state(backend, name), changed), strict=True))
        histories = dict(zip(changed, pool.map(lambda name: history(backend, name), changed), strict=True))
    hosts = {state.docker_host for state in states.values() if isinstance(state, State)}
    engines = {host: _client(connect, host) for host in {"", *hosts}}
    found = []
    for name, state in states.items():
        if isinstance(state, State):
            host = state.docker_host
            found.append(_known(name, host, engines[host], state, histories[name], changed[name]))
        else:
            found.append(replace(_known(name, "", None, State({}), histories[name], changed[name]), problem=state))
    found += [row for host, engine in engines.items() if engine for row in _unknown(host, engine, changed)]
    return sorted(found, key=lambda row: (row.name, row.host))


def _state(backend: Backend, name: str) -> State | str:
    """The state of a stack, or why it cannot be read."""
    try:
        return State.read(backend, name)
    except OpsError as error:
        return str(error)


def _client(connect: Connect, host: str) -> docker.DockerClient | None:
    try:
        return connect(host)
    except (DockerException, OSError):
        return None


def _known(
    name: str,
    host: str,
    engine: docker.DockerClient | None,
    state: State,
    deployments: list[Deployment],
    changed: datetime | None,
) -> StackNow:
    there = look(engine, name) if engine else None
    life = _since_last_destroyed(deployments)
    updates = [deployment for deployment in life if deployment.kind == "update"]
    last = updates[0] if updates else None
    return StackNow(
        name,
        host,
        answers=engine is not None,
        known=True,
        protected=state.protected,
        **_counts(there),
        made=updates[-1].began if updates else None,
        deployed=last.began if last else None,
        seen=last.began if last else changed,
        revision=last.program.revision if last and last.program else Revision("", changed=False),
        result=_result(last),
        drift=tuple(finding.words for finding in differences(state, there)) if there else (),
    )


def _unknown(host: str, engine: docker.DockerClient, known: Mapping[str, object]) -> Iterator[StackNow]:
    for name in stacks(engine) - set(known):
        there = look(engine, name)
        yield StackNow(
            name,
            host,
            answers=True,
            known=False,
            protected=False,
            **_counts(there),
            made=min((container.created for container in there.containers.values()), default=None),
            deployed=None,
            seen=max((container.created for container in there.containers.values()), default=None),
            revision=Revision("", changed=False),
            result="unknown to this state",
            drift=(),
        )


def _counts(there: Look | None) -> dict[str, Any]:
    containers = list(there.containers.values()) if there else []
    return {
        "containers": len(containers),
        "running": sum(container.runs for container in containers),
        "there": bool(there and (containers or there.networks or there.volumes)),
    }


def _since_last_destroyed(deployments: list[Deployment]) -> list[Deployment]:
    for number, deployment in enumerate(deployments):
        if deployment.kind == "destroy" and deployment.result == "succeeded":
            return deployments[:number]
    return deployments


def _result(last: Deployment | None) -> str:
    if not last:
        return "not up"
    if last.result != "succeeded":
        return last.result
    if last.validated:
        return "validated"
    return last.validation or "not validated"
