"""Executables built from Go modules: each directory of lab/go pins one upstream project by go.mod and go.sum."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.process import Report, locked, run

ROOT = Path(__file__).resolve().parent
GO_REMEDY = (
    "Check that the Go module proxy can be reached (`go env GOPROXY`) and that there is room on the disk (`df -h`), "
    "then run it again: what was compiled is kept."
)
NO_GO = (
    "There is no `go` on this machine, and without it the lab can build nothing. Install Go 1.26 or newer, or provide "
    "the programs themselves: `pulumi`, its Docker plugin, `promtool`, `amtool` and `loki` on the PATH."
)


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
    parent: Path = ROOT / "go"
    """Where its directory lies."""

    @property
    def path(self) -> Path:
        """The module's directory."""
        return self.parent / self.name


WORKSPACE = ROOT / "go" / "shared.work"
"""The Go workspace of the shared modules: with the same versions everywhere, what is compiled for one serves all."""

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


def module_of(tool: str) -> Module:
    """Give the module that an executable is built from; LabError names the known ones for an unknown name."""
    for module in MODULES:
        if tool in module.executables:
            return module
    raise LabError(f"The lab cannot build {tool!r}; it can build {', '.join(TOOLS)}.")


def version(module: Module) -> str:
    """Give a module's version as its project writes it (v3.5.1), read from go.mod.

    The Docker plugin has the version of the Python package that asks for it, read from uv.lock.
    """
    if module.source == "pulumi-docker":
        lock = tomllib.loads((ROOT.parent / "uv.lock").read_text())
        return "v" + next(str(p["version"]) for p in lock["package"] if p["name"] == module.source)
    required = re.search(rf"^\s*(?:require )?{re.escape(module.source)} (v\S+)", _go_mod(module), re.MULTILINE)
    if required is None:
        raise LabError(f"{module.path}/go.mod does not require {module.source}, whose version it should pin.")
    # Prometheus publishes its library as v0.305.1 for the release v3.5.1.
    library = re.fullmatch(r"v0\.(\d)(\d\d)\.(\d+)", required[1])
    if library and module.source.endswith("/prometheus"):
        return f"v{library[1]}.{int(library[2])}.{library[3]}"
    return required[1]


def key(module: Module) -> str:
    """Give 12 hex digits that change when the module's files, its build flags or the Go version change."""
    digest = hashlib.sha256()
    for file in sources(module):
        digest.update(f"{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    digest.update(json.dumps([dict(module.executables), _flags(module), _go_identity()]).encode())
    return digest.hexdigest()[:12]


def sources(module: Module) -> list[Path]:
    """Give the files that decide what a module's executables are."""
    files = sorted(file for file in module.path.rglob("*") if file.is_file())
    if not module.shared:
        return files
    # What one shared module requires can raise a version in all of them.
    others = sorted(other.path / "go.mod" for other in MODULES if other.shared)
    return [*files, WORKSPACE, WORKSPACE.with_suffix(".work.sum"), *others]


def directory(module: Module, cache: Path) -> Path:
    """Give the directory under `cache` of a module's executables, built or not."""
    return cache / "toolchain" / f"{module.name}-{key(module)}"


def location(tool: str, cache: Path) -> Path:
    """Give the path of an executable under `cache`, built or not."""
    module = module_of(tool)
    return directory(module, cache) / tool


def build(tool: str, cache: Path, report: Report) -> Path:
    """Give the path of the executable `tool` under `cache`, building it when it is not there.

    Two processes may ask for the same one: the second waits. Raises LabError with the compiler's own words.
    """
    module = module_of(tool)
    return build_module(module, cache, report) / tool


def build_module(module: Module, cache: Path, report: Report) -> Path:
    """Give the directory with a module's executables, building them when it is not there."""
    target = directory(module, cache)
    if target.is_dir():
        return target
    with locked(target.with_suffix(".lock"), f"building {module.name}", report):
        if target.is_dir():
            return target
        report(f"building {module.name} {version(module)} from source (about {module.minutes}) …")
        scratch = Path(tempfile.mkdtemp(prefix=f".{module.name}-", dir=target.parent))
        try:
            # `go build -o <directory>/` names executables by their packages, which "." does not have.
            single = next(iter(module.executables)) if len(module.executables) == 1 else ""
            output = f"{scratch}/{single}"
            run(
                ["go", "build", "-v", *_flags(module), "-o", output, *module.executables.values()],
                f"building {module.name}",
                GO_REMEDY,
                report,
                cwd=module.path,
                env=_environment(module),
            )
            scratch.chmod(0o755)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def download(module: Module, report: Report) -> None:
    """Bring a module's sources into Go's module cache, so that its build need not wait for the network."""
    tags = ["-tags", module.tags] if module.tags else []
    run(
        ["go", "list", "-deps", *tags, *module.executables.values()],
        f"downloading the sources of {module.name}",
        GO_REMEDY,
        report,
        cwd=module.path,
        env=_environment(module),
    )


def _environment(module: Module) -> dict[str, str]:
    """Give what is added to the environment of `go`; without cgo, neither a C compiler nor a library is needed."""
    return {"CGO_ENABLED": "0", "GOWORK": str(WORKSPACE) if module.shared else "off"}


def _flags(module: Module) -> list[str]:
    linker = "-s -w"
    if module.symbol:
        # These print the leading v of their version (or refuse a version without it); the others do not.
        number = version(module)
        keep = module.name in {"pulumi", "cadvisor", "redis-exporter", "alloy"}
        linker += f" -X {module.symbol}={number if keep else number.removeprefix('v')}"
    tags = ["-tags", module.tags] if module.tags else []
    return ["-trimpath", "-buildvcs=false", *tags, "-ldflags", linker]


def _go_mod(module: Module) -> str:
    return (module.path / "go.mod").read_text()


@functools.cache
def _go_identity() -> str:
    """Give the Go version and the platform it builds for."""
    try:
        asked = ["go", "env", "GOVERSION", "GOOS", "GOARCH"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise LabError(NO_GO) from error
    return " ".join(answer.stdout.split())
