"""What the pages say again and again, one word each: is it up, how fast, which share, and whose fault."""

from collections.abc import Sequence
from typing import Unpack

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.links import Link
from dashboards.panels.base import Queries, Unit
from dashboards.panels.colors import BAD, GOOD, WARN
from dashboards.panels.limits import Limit
from dashboards.panels.numbers import dial
from dashboards.panels.series import Look, series
from dashboards.panels.timeline import timeline


def is_it_up(title: str, description: str, queries: Queries, *, links: Sequence[Link] = ()) -> Panel:
    """Whether each thing answered at each moment: `queries` is legend -> PromQL that gives 1 (up) or 0 (down)."""
    return timeline(title, description, queries, {1: ("up", GOOD), 0: ("down", BAD)}, links=links)


def share(title: str, description: str, expr: str, limit: Limit, *, links: Sequence[Link] = ()) -> Panel:
    """A dial from 0 to 100 % of one thing; `expr` gives shares of 1."""
    return dial(title, description, "percentunit", {"": expr}, limit, maximum=1, links=links)


def share_of_each(title: str, description: str, expr: str, limit: Limit) -> Panel:
    """A dial from 0 to 100 % for each instance; `expr` gives shares of 1."""
    return dial(title, description, "percentunit", {"{{instance}}": expr}, limit, maximum=1)


def error_share_of_each(title: str, description: str, expr: str, limit: Limit) -> Panel:
    """A dial of an error rate for each instance; `expr` gives shares of 1. A quarter of it is below the limit."""
    return dial(title, description, "percentunit", {"{{instance}}": expr}, limit, maximum=4 * limit.value)


def latency(
    title: str, description: str, metric: str, limit: Limit, *, of: str = "", links: Sequence[Link] = ()
) -> Panel:
    """P50, P95 and P99 in seconds, of the worst instance.

    Takes `metric`, recorded as `…:p50_rate5m`, `…:p95_rate5m` and `…:p99_rate5m`, and the label matchers `of`, in
    their braces.
    """
    queries = {f"P{share}": f"max({metric}:p{share}_rate5m{of})" for share in (50, 95, 99)}
    return series(title, description, "s", queries, limit, colors={"P50": GOOD, "P95": WARN, "P99": BAD}, links=links)


def each(
    title: str, description: str, unit: Unit, label: str, expr: str, limit: Limit | None = None, **look: Unpack[Look]
) -> Panel:
    """A line for each value of `label`."""
    return series(title, description, unit, {_by(label): expr}, limit, **look)


def shares(title: str, description: str, label: str, expr: str, limit: Limit) -> Panel:
    """A line from 0 to 100 % for each value of `label`, of which there may be many; `expr` gives shares of 1."""
    return each(title, description, "percentunit", label, expr, limit, maximum=1, many=True)


def each_container(
    title: str, description: str, unit: Unit, expr: str, limit: Limit | None = None, *, prefix: str
) -> Panel:
    """A line for each container, of which there are many; those of this stack without the `prefix` of their names."""
    return series(title, description, unit, {"{{name}}": expr}, limit, many=True, prefix=prefix)


def split(
    title: str, description: str, unit: Unit, label: str, metric: str, limit: Limit | None = None, **look: Unpack[Look]
) -> Panel:
    """The sum of `metric`, split by `label` and piled up: errors by cause, events by type."""
    look.setdefault("stack", True)
    return series(title, description, unit, {_by(label): f"sum by ({label}) ({metric})"}, limit, **look)


def sums(
    title: str, description: str, unit: Unit, metrics: Queries, limit: Limit | None = None, **look: Unpack[Look]
) -> Panel:
    """The sums of several metrics, a line each: `metrics` is legend -> PromQL."""
    queries = {legend: f"sum({metric})" for legend, metric in metrics.items()}
    return series(title, description, unit, queries, limit, **look)


def traffic(title: str, description: str, received: str, sent: str) -> Panel:
    """Bytes per second, in and out."""
    return sums(title, description, "Bps", {"received": received, "sent": sent})


def _by(label: str) -> str:
    """The legend that is the value of `label`."""
    return "{{" + label + "}}"
