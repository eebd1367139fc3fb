"""Executables, built from the Go modules of `lab.modules`."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from lab import modules
from lab.errors import LabError
from lab.modules import ROOT, Module
from lab.pages import Pages
from lab.process import Report, locked, run

GO_REMEDY = (
    "Check that the Go module proxy can be reached (`go env GOPROXY`) and that there is room on the disk (`df -h`), "
    "then run it again: what was compiled is kept."
)
NO_GO = (
    "There is no `go` on this machine, and without it the lab can build nothing. Install Go 1.26 or newer, or provide "
    "the programs themselves: `pulumi`, its Docker plugin, `promtool`, `amtool` and `loki` on the PATH."
)


WORKSPACE = ROOT / "go" / "shared.work"
"""The Go workspace of the shared modules: with the same versions everywhere, what is compiled for one serves all."""


def module_of(tool: str) -> Module:
    """Give the module that an executable is built from; LabError names the known ones for an unknown name."""
    for module in modules.MODULES:
        if tool in module.executables:
            return module
    raise LabError(f"The lab cannot build {tool!r}; it can build {', '.join(modules.TOOLS)}.")


def version(module: Module) -> str:
    """Give a module's version as its project writes it (v3.13.5), read from go.mod.

    The Docker plugin has the version of the Python package that asks for it, read from uv.lock.
    """
    if module.source == "pulumi-docker":
        lock = tomllib.loads((ROOT.parent / "uv.lock").read_text())
        return "v" + next(str(p["version"]) for p in lock["package"] if p["name"] == module.source)
    required = re.search(rf"^\s*(?:require )?{re.escape(module.source)} (v\S+)", _go_mod(module), re.MULTILINE)
    if required is None:
        raise LabError(f"{module.path}/go.mod does not require {module.source}, whose version it should pin.")
    # Prometheus publishes its library as v0.313.5 for the release v3.13.5.
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
    if _pages(module):
        files.append(ROOT / "pages.py")
    if not module.shared:
        return files
    # What one shared module requires can raise a version in all of them.
    others = sorted(other.path / "go.mod" for other in modules.MODULES if other.shared)
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
            made = scratch / "made"
            made.mkdir()
            # `go build -o <directory>/` names executables by their packages, which "." does not have.
            single = next(iter(module.executables)) if len(module.executables) == 1 else ""
            run(
                [
                    *("go", "build", "-v", *_flags(module), *_with_pages(module, scratch, cache, report)),
                    *("-o", f"{made}/{single}", *module.executables.values()),
                ],
                f"building {module.name}",
                GO_REMEDY,
                report,
                cwd=module.path,
                env=_environment(module),
            )
            made.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _with_pages(module: Module, scratch: Path, cache: Path, report: Report) -> list[str]:
    """Give the flags that make a build take its module from a copy under `scratch` that has its web pages."""
    if module.pages and not _pages(module):
        report(f"no npm here: {module.name} is built without its web pages")
    pages = _pages(module)
    if not pages:
        return []
    sources = _kept_sources(module)
    prepared = pages.prepare(module.path, sources, cache, report)
    copy = scratch / "source"
    shutil.copytree(sources, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # Go keeps sources read-only
    pages.add(prepared, copy)
    replaced = f"\nreplace {module.source} => {copy}\n"
    (scratch / "go.mod").write_text(_go_mod(module) + replaced)
    shutil.copyfile(module.path / "go.sum", scratch / "go.sum")
    return [f"-modfile={scratch / 'go.mod'}"]


def _pages(module: Module) -> Pages | None:
    """Give how a module gets its web pages; None where it needs none, or cannot get them on this machine."""
    return module.pages if module.pages and module.pages.possible() else None


def _kept_sources(module: Module) -> Path:
    """Give the directory where Go keeps the sources of a module's program, downloading them when they are not there."""
    command = ["go", "mod", "download", "-json", module.source]
    environment = {**os.environ, **_environment(module)}
    done = subprocess.run(command, cwd=module.path, env=environment, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        reason = answer.get("Error") or done.stderr.strip()
        raise LabError(f"downloading the sources of {module.name} failed: {reason}\n{GO_REMEDY}")
    return Path(answer["Dir"])


def download(module: Module, cache: Path, report: Report) -> None:
    """Bring a module's sources into Go's module cache and make its web pages, so that its build need not wait."""
    pages = _pages(module)
    if pages:
        pages.prepare(module.path, _kept_sources(module), cache, report)
    tags = ["-tags", module.tags] if module.tags else []
    run(
        # What is wrong is for the build to say, which has the pages that a source module lacks.
        ["go", "list", "-e", "-deps", *tags, *module.executables.values()],
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
    pages = _pages(module)
    wanted = [tags for tags in (module.tags, pages.tags if pages else "") if tags]
    tags = ["-tags", ",".join(wanted)] if wanted else []
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
