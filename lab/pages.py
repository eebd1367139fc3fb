"""The web pages of Prometheus and Alertmanager, which their Go modules hold as sources at most.

A program compiles its pages in, from files beside its own sources. Go keeps a module's sources read-only, so such a
program is compiled from a copy that has them (`lab.toolchain` makes it).
"""

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.process import Report, locked, run

NPM_REMEDY = "Check that npm's registry can be reached (`npm ping`), then run it again."

PNPM = "pnpm@10.34.9"
"""What Prometheus builds its pages with: the lock file beside their sources is pnpm's."""

# In this order; the old pages (react-app) are left out, as they are served behind a feature flag alone.
_PACKAGES = ("@prometheus-io/lezer-promql", "@prometheus-io/codemirror-promql", "@prometheus-io/mantine-ui")


@dataclass(frozen=True)
class Pages:
    """How a program gets its web pages."""

    prepare: Callable[[Path, Path, Path, Report], Path]
    """Gives a directory with the pages, and makes them where they are not there, which may take long.

    Takes the directory of the lab's own module, the one with the program's sources, and the cache; raises LabError.
    """
    add: Callable[[Path, Path], None]
    """Writes the prepared pages into a copy of the program's sources."""
    npm: bool = False
    """Whether npm makes them; where there is none, the program is built without pages."""
    tags: str = ""
    """The build tags with which the program has them."""

    def possible(self) -> bool:
        """Tell whether this machine has what is needed to make them."""
        return not self.npm or shutil.which("npm") is not None


def _prepare_prometheus(module: Path, sources: Path, cache: Path, report: Report) -> Path:
    lock = (sources / "web/ui/pnpm-lock.yaml").read_bytes()
    key = hashlib.sha256(f"{sources.name}\0{PNPM}\0{_PACKAGES}\0".encode() + lock).hexdigest()[:12]
    target = cache / "pages" / f"prometheus-{key}"
    if target.is_dir():
        return target
    with locked(target.with_suffix(".lock"), "building the web pages of Prometheus", report):
        if target.is_dir():
            return target
        report("building the web pages of Prometheus (about a minute) …")
        with tempfile.TemporaryDirectory(prefix=".prometheus-", dir=target.parent) as scratch:
            ui = Path(scratch) / "ui"
            shutil.copytree(sources / "web/ui", ui, ignore=shutil.ignore_patterns("react-app"))
            for path in (ui, *ui.rglob("*")):
                path.chmod(0o755)
            install = ["install", "--frozen-lockfile", "--ignore-scripts"]
            for arguments in (install, *(["--filter", package, "run", "build"] for package in _PACKAGES)):
                command = ["npm", "exec", "--yes", PNPM, "--", *arguments]
                run(command, "building the web pages of Prometheus", NPM_REMEDY, report, cwd=ui, env={"CI": "true"})
            os.replace(ui / "mantine-ui/dist", target)
    return target


def _add_to_prometheus(pages: Path, copy: Path) -> None:
    """Do what Prometheus' scripts/compress_assets.sh does."""
    ui = copy / "web/ui"
    names = []
    for file in sorted(file for file in pages.rglob("*") if file.is_file()):
        name = f"static/mantine-ui/{file.relative_to(pages)}.gz"
        (ui / name).parent.mkdir(parents=True, exist_ok=True)
        (ui / name).write_bytes(gzip.compress(file.read_bytes(), mtime=0))
        names.append(name)
    embed = (ui / "embed.go.tmpl").read_text() + f"//go:embed {' '.join(names)}\nvar EmbedFS embed.FS\n"
    (ui / "embed.go").write_text(embed)


def _prepare_alertmanager(module: Path, sources: Path, cache: Path, report: Report) -> Path:
    """Alertmanager's own pages need the Elm compiler, which no package mirror has: it gets a plain page of the lab."""
    return module / "pages"


def _add_to_alertmanager(pages: Path, copy: Path) -> None:
    """Write the files compressed as Alertmanager serves them: with gzip, and for browsers that prefer it, as Brotli."""
    target = copy / "ui/app/dist"
    target.mkdir(parents=True)
    for file in sorted(pages.iterdir()):
        content = file.read_bytes()
        (target / f"{file.name}.gz").write_bytes(gzip.compress(content, mtime=0))
        (target / f"{file.name}.br").write_bytes(stored_brotli(content))


def stored_brotli(content: bytes) -> bytes:
    """Give `content` (1 to 65,536 bytes) as a Brotli stream that is not compressed; ValueError for another length.

    Python brings no Brotli. RFC 7932, section 9.2: a window of 64 KiB, one uncompressed block, and an empty last one.
    """
    if not 1 <= len(content) <= 1 << 16:
        raise ValueError(f"{len(content)} bytes do not fit into one uncompressed block of Brotli")
    header = (len(content) - 1) << 4 | 1 << 20
    return header.to_bytes(3, "little") + content + b"\x03"


PROMETHEUS = Pages(_prepare_prometheus, _add_to_prometheus, npm=True, tags="builtinassets")
"""Prometheus' pages, built with npm."""

ALERTMANAGER = Pages(_prepare_alertmanager, _add_to_alertmanager)
"""One plain page, without which Alertmanager does not even compile."""
