"""The log shipper: it works, and of each source the lines arrive that must."""

from collections.abc import Iterable, Iterator
from typing import Any

import docker

from config.logs.source import Containers, Source
from config.logs.sources import sources
from config.prometheus.durations import seconds
from config.settings import Settings
from ops.validation.check import Check, get, query

# How far back one looks for the lines of a source.
_WITHIN = "15m"


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    prometheus, agent = settings.prometheus.url, settings.log_agent
    targets, dropped = {
        "promtail": ("promtail_targets_active_total", "promtail_dropped_entries_total"),
        "alloy": ("loki_source_docker_target_entries_total", "loki_write_dropped_entries_total"),
    }[agent]
    count = _sum(prometheus, f'sum({targets}{{job="{agent}"}})')
    yield Check.of(f"{agent} has targets", count > 0, f"{count:.0f}")
    lost = _sum(prometheus, f'sum(increase({dropped}{{job="{agent}"}}[5m]))')
    yield Check.of("nothing dropped", lost == 0, f"{lost:.0f} lines in 5 minutes")
    refused = _sum(prometheus, 'sum(increase(loki_discarded_samples_total{job="loki"}[5m]))')
    yield Check.of("nothing refused by Loki", refused == 0, f"{refused:.0f} lines in 5 minutes")
    lines = f'{{stack="{settings.stack}"}}'
    arrived = _count(settings, f"sum(count_over_time({lines}[5m]))").get("", 0)
    yield Check.of("lines arrive", arrived > 0, f"{arrived:.0f} lines in 5 minutes")
    came = _count(settings, f"sum by (source) (count_over_time({lines}[{_WITHIN}]))", "source")
    yield from arrivals(sources(settings), came, demo=settings.demo)


def arrivals(expected: Iterable[Source], came: dict[str, float], *, demo: bool) -> Iterator[Check]:
    """What came of each source: `came` has the number of lines in the last 15 minutes, by source.

    A source must have lines where the stack starts it and it writes all the time; others may be absent or silent.
    """
    for source in expected:
        name, found = f"lines of {source.name}", came.get(source.name, 0)
        must = demo and source.silent_after and isinstance(source.found, Containers) and source.found.services
        detail = f"{found:.0f} lines in {_WITHIN}"
        if must or found:
            want = f", expected at least one in {seconds(source.silent_after) / 60:.0f} minutes" if must else ""
            yield Check.of(name, found > 0, detail + want)
        else:
            yield Check.skip(name, f"none in {_WITHIN}: there is no such source, or it had nothing to say")


def _sum(prometheus: str, expression: str) -> float:
    found = query(prometheus, expression)
    return float(found[0]["value"][1]) if found else 0


def _count(settings: Settings, expression: str, label: str = "") -> dict[str, float]:
    """Value of the label -> number, of a LogQL query."""
    found: list[dict[str, Any]] = get(f"{settings.loki_url}/loki/api/v1/query", query=expression).json()["data"][
        "result"
    ]
    return {series["metric"].get(label, ""): float(series["value"][1]) for series in found}
