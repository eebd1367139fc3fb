"""The ports of the Docker host that the user interfaces are published on."""

from dataclasses import dataclass

from config.keys import Keys
from config.stack_name import EPHEMERAL

PORT_KEYS = {
    "prometheus": "prometheusPort",
    "alertmanager": "alertmanagerPort",
    "grafana": "grafanaPort",
    "loki": "lokiPort",
}
"""Service -> the key of its published port."""


@dataclass(frozen=True)
class Ports:
    """Host ports that the user interfaces are published on."""

    prometheus: int
    alertmanager: int
    grafana: int
    loki: int


def ports_of(stack: str, keys: Keys) -> Ports:
    """The published ports: as set, else the services' own or, in pr-<n>, ten for each pull request from 20000 on.

    The latter serves plain Pulumi alone: `ops` finds free ones when it makes such a stack, and sets them.
    """
    ephemeral = EPHEMERAL.fullmatch(stack)
    base = 20000 + int(ephemeral.group(1)) % 4500 * 10 if ephemeral else 0
    return Ports(
        prometheus=keys.prometheus_port or (base if ephemeral else 9090),
        alertmanager=keys.alertmanager_port or (base + 1 if ephemeral else 9093),
        grafana=keys.grafana_port or (base + 2 if ephemeral else 3000),
        loki=keys.loki_port or (base + 3 if ephemeral else 3100),
    )


def reachable(bind_address: str) -> str:
    """The host part of an address at which what is published on `bind_address` answers on the Docker host."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind_address, bind_address)  # noqa: S104 (compared, not bound)
    return f"[{address}]" if ":" in address else address
