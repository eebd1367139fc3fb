"""The log shipper: it works, and the lines arrive of each container that has any, and of each source that must."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import docker

from config.durations import seconds
from config.logs.source import Containers, Source
from config.logs.sources import sources
from config.settings import Settings
from ops.stack.engine import look, name_of
from ops.validation.check import Check, get, query

# How far back one looks for the lines of a source.
_WITHIN = "15m"

# By agent: the counter of the lines that it gave up.
_DROPPED = {"promtail": "promtail_dropped_entries_total", "alloy": "loki_write_dropped_entries_total"}
# Seconds: how far back lines are looked for.
_WINDOW = 3600
LAG = 15
"""Seconds that a line may take from its container to Loki."""
# What other checks need: see Check.about.
_LINES = "lines"


def needs(settings: Settings) -> tuple[str, ...]:
    """What these checks cannot be judged without."""
    return ("loki", settings.log_agent, "docker-proxy", "prometheus", f"job {settings.log_agent}", "job loki")


def checks(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    yield _from_every_container(settings, engine)
    yield nothing_dropped(settings)
    refused = _sum(settings.prometheus.url, 'sum(increase(loki_discarded_samples_total{job="loki"}[5m]))')
    yield Check.of(
        "nothing refused by Loki",
        refused == 0,
        f"{refused:.0f} lines in 5 minutes",
        expected="no line",
        hint="the series loki_discarded_samples_total has the reason; follow docs/runbooks/LokiDiscardingLogs.md",
        needs=needs(settings),
    )
    lines = f'{{stack="{settings.stack}"}}'
    arrived = _count(settings, f"sum(count_over_time({lines}[5m]))").get("", 0)
    yield Check.of(
        "lines arrive",
        arrived > 0,
        f"{arrived:.0f} lines in 5 minutes",
        expected="at least one",
        hint="follow docs/runbooks/LogPipelineStopped.md",
        about=_LINES,
        needs=(*needs(settings), _LINES),
    )
    came = _count(settings, f"sum by (source) (count_over_time({lines}[{_WITHIN}]))", "source")
    yield from arrivals(sources(settings), came, demo=settings.demo)


def arrivals(expected: Iterable[Source], came: dict[str, float], *, demo: bool) -> Iterator[Check]:
    """What came of each source: `came` has the number of lines in the last 15 minutes, by source.

    A source must have lines where the stack starts it and it writes all the time; others may be absent or silent.
    """
    for source in expected:
        name, found = f"lines of {source.name}", came.get(source.name, 0)
        services = source.found.services if isinstance(source.found, Containers) else ()
        must = demo and source.silent_after and services
        detail = f"{found:.0f} lines in {_WITHIN}"
        if must or found:
            want = f"at least one in {seconds(source.silent_after) / 60:.0f} minutes" if must else ""
            yield Check.of(
                name,
                found > 0,
                detail + (f", expected {want}" if want else ""),
                expected=want,
                hint="does the container still write? Then its lines are lost: follow docs/runbooks/LogSourceSilent.md",
                needs=("loki", "docker-proxy", _LINES, *(services if must else ())),
            )
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


def _from_every_container(settings: Settings, engine: docker.DockerClient) -> Check:
    """Every container that is to be watched, and has said something in the last hour, has lines in Loki."""
    now = time.time()
    asked = {"match[]": f'{{stack="{settings.stack}"}}', "start": f"{now - _WINDOW - LAG:.0f}"}
    found = get(f"{settings.loki_url}/loki/api/v1/series", None, **asked).json()["data"]
    arrived = {series.get("container") for series in found}
    watched = _watched(settings, engine)
    # One may have nothing to say: the engine, which keeps the same lines, knows.
    silent = {name for name in watched - arrived if not _has_spoken(engine, name, now)}
    missing = sorted(watched - arrived - silent)
    detail = f"of {len(watched & arrived)} of {len(watched)}"
    detail += f"; {len(silent)} have said nothing" if silent else ""
    detail += f"; none of {', '.join(missing)}" if missing else ""
    return Check.of(
        "lines of every container",
        bool(watched) and not missing,
        detail,
        expected=f"of every container, within {LAG} s",
        hint=f"the log agent does not read them, or Loki refuses them: docker logs --tail 50 "
        f"{settings.name(settings.log_agent)}; follow docs/runbooks/LogShipperStopped.md",
        about=_LINES,
        needs=needs(settings),
    )


def _watched(settings: Settings, engine: docker.DockerClient) -> set[str]:
    """Names of the containers whose lines are to arrive: the stack's own in a demo, else everybody's."""
    if settings.demo:
        return {container.name for container in look(engine, settings.stack).containers.values() if container.runs}
    return {name_of(listed) for listed in engine.api.containers()}


def _has_spoken(engine: docker.DockerClient, container: str, now: float) -> bool:
    # Its first line will do. The engine takes a `tail` before it looks at the times: of one that goes on speaking, the
    # last line is too young, and nothing would be left.
    lines = engine.api.logs(container, since=int(now - _WINDOW), until=int(now - LAG), stream=True, follow=False)
    with closing(lines):
        return bool(next(lines, b"").strip())


def nothing_dropped(settings: Settings) -> Check:
    """The agent gave up no line in the last five minutes, by its own counter."""
    counter = f'{_DROPPED[settings.log_agent]}{{job="{settings.log_agent}"}}'
    known = bool(query(settings.prometheus.url, f"sum({counter})"))
    lost = query(settings.prometheus.url, f"sum(increase({counter}[5m]))") if known else []
    lines = float(lost[0]["value"][1]) if lost else 0
    return Check.of(
        "nothing dropped",
        known and lines == 0,
        f"{lines:.0f} lines in 5 minutes" if known else f"Prometheus has no {counter}",
        expected="the agent's own counter is there and stands still",
        hint="Loki was away too long, or refuses the lines: follow docs/runbooks/LogShipperDropping.md",
        needs=needs(settings),
    )
