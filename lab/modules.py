"""The Go modules that the lab builds: each directory of lab/go pins one upstream project by go.mod and go.sum."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import pages
from lab.pages import Pages

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Module:
    """One wrapper module and what is built from it."""

    name: str
    """Its directory under lab/go."""
    executables: Mapping[str, str]
    """The Go package of each executable."""
    source: str
    """The required module whose version is that of the executables."""
    minutes: str
    """How long a first build takes on two cores, for the progress line."""
    symbol: str | None = None
    """The variable that the linker sets to the version."""
    tags: str = ""
    """Build tags."""
    shared: bool = False
    """Whether its dependencies are held at the versions of the other shared modules, by shared.work."""
    pages: Pages | None = None
    """How it gets the web pages that its source module lacks."""
    parent: Path = ROOT / "go"
    """Where its directory lies."""

    @property
    def path(self) -> Path:
        """The module's directory."""
        return self.parent / self.name


_COMMON_VERSION = "github.com/prometheus/common/version.Version"
_LOKI_VERSION = "github.com/grafana/loki/v3/pkg/util/build.Version"

MODULES = (
    Module(
        "node-exporter",
        {"node_exporter": "github.com/prometheus/node_exporter"},
        source="github.com/prometheus/node_exporter",
        minutes="half a minute",
        symbol=_COMMON_VERSION,
    ),
    Module(
        "postgres-exporter",
        {"postgres_exporter": "github.com/prometheus-community/postgres_exporter/cmd/postgres_exporter"},
        source="github.com/prometheus-community/postgres_exporter",
        minutes="half a minute",
        symbol=_COMMON_VERSION,
    ),
    Module(
        "redis-exporter",
        {"redis_exporter": "github.com/oliver006/redis_exporter"},
        source="github.com/oliver006/redis_exporter",
        minutes="half a minute",
        symbol="main.BuildVersion",
    ),
    Module(
        "cadvisor",
        {"cadvisor": "."},
        source="github.com/google/cadvisor",
        minutes="half a minute",
        symbol="github.com/google/cadvisor/lib/version.Version",
    ),
    Module(
        "alertmanager",
        {
            "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
            "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
        },
        source="github.com/prometheus/alertmanager",
        minutes="a minute",
        symbol=_COMMON_VERSION,
        pages=pages.ALERTMANAGER,
    ),
    Module(
        "dashboard-linter",
        {"dashboard-linter": "github.com/grafana/dashboard-linter"},
        source="github.com/grafana/dashboard-linter",
        minutes="a minute",
    ),
    Module(
        "pint",
        {"pint": "github.com/cloudflare/pint/cmd/pint"},
        source="github.com/cloudflare/pint",
        minutes="a minute",
    ),
    Module(
        "compose",
        {"docker-compose": "github.com/docker/compose/v2/cmd"},
        source="github.com/docker/compose/v2",
        minutes="2 minutes",
        symbol="github.com/docker/compose/v2/internal.Version",
    ),
    Module(
        "docker-provider",
        {"pulumi-resource-docker": "."},
        source="pulumi-docker",
        minutes="2 minutes",
        symbol="main.version",
        tags="no_compose",
        shared=True,
    ),
    Module(
        "prometheus",
        {
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        source="github.com/prometheus/prometheus",
        minutes="3 minutes",
        symbol=_COMMON_VERSION,
        pages=pages.PROMETHEUS,
    ),
    Module(
        "loki",
        {"loki": "github.com/grafana/loki/v3/cmd/loki"},
        source="github.com/grafana/loki/v3",
        minutes="4 minutes",
        symbol=_LOKI_VERSION,
        shared=True,
    ),
    Module(
        "promtail",
        {"promtail": "github.com/grafana/loki/v3/clients/cmd/promtail"},
        source="github.com/grafana/loki/v3",
        minutes="3 minutes",
        symbol=_LOKI_VERSION,
    ),
    Module(
        "pulumi",
        {"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
        source="github.com/pulumi/pulumi/pkg/v3",
        minutes="3 minutes",
        symbol="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
        shared=True,
    ),
    Module(
        "alloy",
        {"alloy": "."},
        source="github.com/grafana/alloy",
        minutes="4 minutes",
        symbol="github.com/grafana/alloy/internal/build.Version",
    ),
)
"""Every wrapper module, the quick ones first."""

TOOLS = tuple(tool for module in MODULES for tool in module.executables)
"""Every executable that can be built."""
