"""The Go modules that the lab builds: each directory of lab/go pins one upstream project by go.mod and go.sum."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_LOKI = "github.com/grafana/loki/v3"
_LOKI_VERSION = f"{_LOKI}/pkg/util/build.Version"


def _programs(name: str, source: str, minutes: str, *packages: str, **more: Any) -> Module:
    """A module whose executables are called as the last parts of their packages, and not otherwise.

    `packages` lie below `source` (none: it is the package itself); `more`: further fields of the module.
    """
    paths = [source + package for package in packages or ("",)]
    return Module(name, {path.rpartition("/")[2]: path for path in paths}, source, minutes, **more)


MODULES = (
    _programs("node-exporter", "github.com/prometheus/node_exporter", "half a minute", symbol=_COMMON_VERSION),
    _programs(
        "postgres-exporter",
        "github.com/prometheus-community/postgres_exporter",
        "half a minute",
        "/cmd/postgres_exporter",
        symbol=_COMMON_VERSION,
    ),
    _programs("blackbox-exporter", "github.com/prometheus/blackbox_exporter", "half a minute", symbol=_COMMON_VERSION),
    _programs("redis-exporter", "github.com/oliver006/redis_exporter", "half a minute", symbol="main.BuildVersion"),
    Module(
        "cadvisor",
        {"cadvisor": "."},
        source="github.com/google/cadvisor",
        minutes="half a minute",
        symbol="github.com/google/cadvisor/lib/version.Version",
    ),
    _programs(
        *("alertmanager", "github.com/prometheus/alertmanager", "a minute", "/cmd/alertmanager", "/cmd/amtool"),
        symbol=_COMMON_VERSION,
        pages=pages.ALERTMANAGER,
    ),
    _programs("actionlint", "github.com/rhysd/actionlint", "half a minute", "/cmd/actionlint"),
    _programs(
        *("gh", "github.com/cli/cli/v2", "3 minutes", "/cmd/gh"),
        symbol="github.com/cli/cli/v2/internal/build.Version",
    ),
    _programs("versitygw", "github.com/versity/versitygw", "a minute", "/cmd/versitygw", symbol="main.Version"),
    _programs("dashboard-linter", "github.com/grafana/dashboard-linter", "a minute"),
    _programs("pint", "github.com/cloudflare/pint", "a minute", "/cmd/pint"),
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
    _programs(
        *("prometheus", "github.com/prometheus/prometheus", "3 minutes", "/cmd/prometheus", "/cmd/promtool"),
        symbol=_COMMON_VERSION,
        pages=pages.PROMETHEUS,
    ),
    _programs("loki", _LOKI, "4 minutes", "/cmd/loki", symbol=_LOKI_VERSION, shared=True),
    _programs("promtail", _LOKI, "3 minutes", "/clients/cmd/promtail", symbol=_LOKI_VERSION),
    _programs(
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
        "3 minutes",
        "/cmd/pulumi",
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
