"""The log shipper: it has found its targets, and lines arrive in Loki."""

from collections.abc import Iterator

import docker

from config.settings import Settings
from ops.validation.check import Check, get, query


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    prometheus, agent = settings.prometheus.url, settings.log_agent
    targets, dropped = {
        "promtail": ("promtail_targets_active_total", "promtail_dropped_entries_total"),
        "alloy": ("loki_source_docker_target_entries_total", "loki_write_dropped_entries_total"),
    }[agent]
    found = query(prometheus, f'sum({targets}{{job="{agent}"}})')
    count = float(found[0]["value"][1]) if found else 0
    yield Check.of(f"{agent} has targets", count > 0, f"{count:.0f}")
    lost = query(prometheus, f'sum(increase({dropped}{{job="{agent}"}}[5m]))')
    lines = float(lost[0]["value"][1]) if lost else 0
    yield Check.of("nothing dropped", lines == 0, f"{lines:.0f} lines in 5 minutes")
    arrived = get(
        f"{settings.loki_url}/loki/api/v1/query",
        query=f'sum(count_over_time({{stack="{settings.stack}"}}[5m]))',
    ).json()["data"]["result"]
    yield Check.of("lines arrive", bool(arrived), f"{arrived[0]['value'][1] if arrived else 0} lines in 5 minutes")
