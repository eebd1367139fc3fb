"""What every panel has: title, description, source, unit, thresholds, and links on its values."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from grafana_foundation_sdk.builders import common as make
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DataTransformerConfig,
    FieldConfig,
    FieldConfigSource,
    Panel,
    ThresholdsConfig,
)

from dashboards.links import Link
from dashboards.sources import PROMETHEUS

# Units as Grafana names them: a plain number, a share of 1, seconds, bytes, and what happens each second.
Unit = Literal["short", "none", "string", "percentunit", "s", "bytes", "Bps", "ops", "reqps", "cps", "mps", "pps"]
# Legend -> PromQL.
Queries = Mapping[str, str]


def finish(
    panel: Panel,
    title: str,
    description: str,
    unit: Unit,
    thresholds: ThresholdsConfig,
    links: Sequence[Link] = (),
    source: DataSourceRef = PROMETHEUS,
) -> Panel:
    """`panel` with what every panel has."""
    panel.title, panel.description, panel.datasource = title, description, source
    panel.field_config = panel.field_config or FieldConfigSource(FieldConfig(), [])
    defaults = panel.field_config.defaults
    defaults.unit = unit
    # Without thresholds, Grafana paints everything above 80 red.
    defaults.thresholds = thresholds
    defaults.links = [data_link(link) for link in links] or None
    return panel


def targets(queries: Queries) -> list[Builder[Dataquery]]:
    """`queries`, legend -> PromQL, over the time shown."""
    return [_query(n).range().expr(expr).legend_format(legend) for n, (legend, expr) in enumerate(queries.items())]


def short_names(prefix: str = "") -> list[DataTransformerConfig]:
    """Names that fit: without `prefix`, and without the port that PostgreSQL and Redis have everywhere.

    Two servers of one host cannot both have that port, so no two names become one.
    """
    shorter = [f"{re.escape(prefix)}(.+)"] if prefix else []
    return [
        DataTransformerConfig(id_val="renameByRegex", options={"regex": regex, "renamePattern": "$1"})
        for regex in [*shorter, "(.+):(?:5432|6379)"]
    ]


def instant(number: int, expr: str) -> prometheus.Dataquery:
    """The PromQL `expr` as of now: the query `number` of a panel, counted from 0."""
    return _query(number).instant().expr(expr)


def _query(number: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(PROMETHEUS).ref_id(chr(65 + number))


def legend(mode: LegendDisplayMode, placement: LegendPlacement, *calcs: str) -> make.VizLegendOptions:
    """A legend with the figures `calcs` (Grafana's names) of each series."""
    return make.VizLegendOptions().show_legend(True).display_mode(mode).placement(placement).calcs([*calcs])


def latest() -> make.ReduceDataOptions:
    """The last value of a series, for panels that show one number of it."""
    return make.ReduceDataOptions().calcs(["lastNotNull"])


class _DataLink(DashboardLink):
    """A link of a value, which has less to it than a dashboard's."""

    def to_json(self) -> dict[str, object]:
        return {"title": self.title, "url": self.url}


def data_link(link: Link) -> DashboardLink:
    """`link` as a panel's field configuration has it."""
    return _DataLink(title=link.title, url=link.url)
