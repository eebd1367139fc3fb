"""A stack that runs on the engine and that the state does not know: the state was lost, or it is another one's.

It is taken over without Pulumi's import, as there is nothing to gain from that: volumes, which hold all the data, are
taken over by the provider itself (to make one that is there gives that very one); a container cannot be imported whole
(its environment, labels and files are not read back), so that the next update would replace it in any case; a network
holds nothing. So containers and networks are removed, and the update that follows makes them anew around the data.

What is in Grafana's database is not taken over yet: the provider refuses to make a folder or a data source that is
there (409). Where the stack had a Grafana, remove those four in it before the update, or import them.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import docker
from docker.errors import APIError

from ops.errors import OpsError
from ops.report import say
from ops.stack.engine import Look, remove
from ops.stack.state import VOLUME, State

Confirm = Callable[[str], None]
"""Asks a person before something is done that cannot be undone; raises OpsError where the answer is no."""


def refuse(what: str) -> None:
    """The answer where nobody can be asked. Raises OpsError (exit code 2)."""
    raise OpsError(f"{what} Nobody is here to be asked: if that is right, run the same command with --yes", code=2)


def is_unknown(state: State, look: Look) -> bool:
    """Whether the engine has containers or networks of the stack, and none of those that `state` knows."""
    known = state.ids()
    if known & set(look.containers):
        return False
    return bool(look.containers or look.networks) and not known & set(look.networks)


def take_over(state: State, look: Look, engine: docker.DockerClient, confirm: Confirm) -> bool:
    """Make way for an update where the engine has the stack and `state` does not know it, after asking.

    Gives whether there was anything to remove. Data is kept.
    """
    if not is_unknown(state, look):
        if not state.of_type(VOLUME) and look.volumes:
            say(f"there is data of an earlier {look.stack}, which is taken over: {', '.join(sorted(look.volumes))}")
        return False
    confirm(f"{words(look)} To take it over, its containers and networks are made anew; its data is kept.")
    _remove_containers_and_networks(look, engine)
    return True


def remove_all(look: Look, engine: docker.DockerClient, *, volumes: Collection[str]) -> None:
    """Remove the stack's containers and networks, and these of its volumes. Raises OpsError for one that is in use."""
    _remove_containers_and_networks(look, engine)
    for name in sorted(volumes):
        try:
            engine.api.remove_volume(name)
            say(f"removed volume {name}")
        except APIError as error:
            raise OpsError(f"volume {name} cannot be removed: {error.explanation}") from None


def words(look: Look) -> str:
    """What is there of a stack that the state does not know, as a sentence."""
    return (
        f"Stack {look.stack} is on this Docker engine ({count(look)}), and this state does not know it: "
        "the state was lost, or somebody runs it from another one."
    )


def count(look: Look) -> str:
    """What is there, counted: `14 containers, 2 networks, 8 volumes`."""
    things = {"container": len(look.containers), "network": len(look.networks), "volume": len(look.volumes)}
    return ", ".join(f"{number} {thing}{'s' * (number != 1)}" for thing, number in things.items() if number)


def _remove_containers_and_networks(look: Look, engine: docker.DockerClient) -> None:
    # At once, as each takes its time to stop.
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda container: remove(engine, container), look.containers))
    if look.containers:
        say(f"removed {', '.join(sorted(container.name for container in look.containers.values()))}")
    for network, name in look.networks.items():
        try:
            engine.api.remove_network(network)
        except APIError as error:
            raise OpsError(
                f"network {name} cannot be removed: {error.explanation}; disconnect what is not of the stack "
                f"(docker network inspect {name}), then run the same command again"
            ) from None
        say(f"removed network {name}")
