"""Single numbers of the present: a dial, or figures in large print."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import gauge as gauges
from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.links import Link
from dashboards.panels.base import Queries, Unit, finish, latest, short_names, targets
from dashboards.panels.limits import Limit, steps

# Pixels: the letters of the name below a dial.
NAME_SIZE = 12


def dial(
    title: str,
    description: str,
    unit: Unit,
    queries: Queries,
    limit: Limit | None = None,
    *,
    maximum: float | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """A dial from 0 to `maximum` (the highest value of the time shown where not given), red beyond the limit."""
    made = (
        gauges.Panel()
        .min(0)
        .show_threshold_markers(True)
        .reduce_options(latest())
        # By itself Grafana makes a name as large as the dial allows, and cuts its end off.
        .text(make.VizTextDisplayOptions().title_size(NAME_SIZE))
        .targets(targets(queries))
        .transformations(short_names())
    )
    if maximum is not None:
        made = made.max(maximum)
    return finish(made.build(), title, description, unit, steps(limit), links)


def figures(title: str, description: str, unit: Unit, queries: Queries, limit: Limit | None = None) -> Panel:
    """One big number for each of `queries` (legend -> PromQL), over its course."""
    made = (
        stat.Panel()
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        # One below the other.
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(latest())
        .targets(targets(queries))
    )
    return finish(made.build(), title, description, unit, steps(limit))
