"""States over time: a bar for each thing, in the colour of the state it was in."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.links import Link
from dashboards.panels.base import Queries, finish, legend, short_names, targets
from dashboards.panels.colors import states_as
from dashboards.panels.limits import steps


def timeline(
    title: str,
    description: str,
    queries: Queries,
    states: Mapping[int, tuple[str, str]],
    *,
    links: Sequence[Link] = (),
) -> Panel:
    """A bar for each series of `queries` (legend -> PromQL). `states` is value -> (text, colour)."""
    bars = (
        statetimeline.Panel()
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(legend(common.LegendDisplayMode.LIST, common.LegendPlacement.BOTTOM))
        .mappings([states_as({str(state): shown for state, shown in states.items()})])
        .targets(targets(queries))
        .transformations(short_names())
    )
    return finish(bars.build(), title, description, "none", steps(None), links)
