"""What a service means to people: what it keeps, and what they miss while it is away."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """`keeps` is what is in its volume; `meanwhile` what is missed while it is away.

    `measured` is the seconds that it was away when it was replaced on purpose; None where nobody measured it.
    """

    keeps: str = ""
    meanwhile: str = "what it does is missing"
    measured: float | None = None


_EXPORTER = "what it measures is missing"
_READING = "no line is read; it goes on where it stopped"

SERVICES: Mapping[str, Service] = {
    "prometheus": Service("all metrics", "nothing is scraped and no rule is evaluated: a gap in the graphs", 3.0),
    "alertmanager": Service(
        "silences, and what was notified already", "nobody is told; Prometheus sends again what still fires", 2.3
    ),
    "grafana": Service("its database: users, and what was made by hand", "no dashboards; alerts go on without it"),
    "loki": Service("all log lines", "lines wait in the log agent, which sends them afterwards; no log alert", 4.7),
    "alloy": Service("how far the logs are read", _READING),
    "promtail": Service("how far the logs are read", _READING),
    "docker-proxy": Service(meanwhile="no new container's lines are found"),
    "node-exporter": Service(meanwhile=_EXPORTER),
    "cadvisor": Service(meanwhile=_EXPORTER),
    "postgres-exporter": Service(meanwhile=_EXPORTER),
    "postgres-replica-exporter": Service(meanwhile=_EXPORTER),
    "redis-exporter": Service(meanwhile=_EXPORTER),
    "postgres": Service("the demo's database", "the demo's database does not answer"),
    "postgres-replica": Service("the copy of the demo's database", "the demo's replica does not answer"),
    "redis": Service("the demo's Redis", "the demo's Redis does not answer"),
    "nginx": Service(meanwhile="the demo's requests fail"),
    "demo": Service(meanwhile="the demo's metrics are missing"),
}
"""By the name of a service. What is missed, and for how long: docs/upgrades.md, which tests/upgrade measures."""

OTHER = Service()
