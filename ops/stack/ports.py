"""The host's ports of a pull request's stack: found free once, when the stack is made, and its own from then on.

A formula from the number alone cannot do it: there are more numbers than ports, and from a certain one on they would
lie where the kernel takes the ports of clients from.
"""

import socket
from collections.abc import Collection, Iterator
from pathlib import Path

import docker

from config.stack_name import EPHEMERAL
from ops.errors import OpsError
from ops.stack.engine import look, taken_ports

_KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Linux' own beginning of the ports of clients, for a Docker host that is another machine.
_CLIENTS_FROM = 32768
_FIRST = 20000


def find(
    stack: str, services: Collection[str], engine: docker.DockerClient, reserved: Collection[int], *, here: bool
) -> dict[str, int]:
    """Service -> a port for it, for each of the `services` of a stack that have none noted.

    A stack that runs keeps what it has. Else ports that no container publishes, that are not `reserved` for another
    stack, and that no program of this machine has, where the engine is `here`. Raises OpsError where too few are left.
    """
    running = look(engine, stack).by_service
    found = {name: min(running[name].ports) for name in services if name in running and running[name].ports}
    used = {*reserved, *taken_ports(engine)}
    below = _below() if here else _CLIENTS_FROM
    free = (port for port in _candidates(stack, below) if port not in used and not (here and _is_taken(port)))
    for name in services:
        if name not in found:
            try:
                found[name] = next(free)
            except StopIteration:
                raise OpsError(
                    f"no port is free for stack {stack} below {below}, where those begin that the kernel gives to "
                    f"clients; destroy a stack that nobody needs, or name a port with: --config {name}Port=PORT",
                    code=2,
                ) from None
    return found


def _candidates(stack: str, below: int) -> Iterator[int]:
    """Every port from `_FIRST` on and `below` that; those that begin with the stack's number come first."""
    first = _FIRST if below > _FIRST + 1000 else 1024
    match = EPHEMERAL.fullmatch(stack)
    start = int(match.group(1)) * 10 % max(below - first, 1) if match else 0
    for offset in range(below - first):
        yield first + (start + offset) % (below - first)


def _below() -> int:
    """The first of the ports that this kernel gives to clients; one of those may be taken at any moment."""
    try:
        return int(_KERNEL_RANGE.read_text().split()[0])
    except OSError:  # not Linux
        return _CLIENTS_FROM


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False
