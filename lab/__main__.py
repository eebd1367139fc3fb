"""`python -m lab`: what can be built and what is there; `python -m lab build NAME…`: build executables and images."""

import sys
import time

import docker
import typer

from lab import base, engine, images, modules, toolchain
from lab.cache import cache
from lab.errors import LabError
from lab.plan import prepare

app = typer.Typer(help=__doc__, add_completion=False)


@app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """List what can be built, and what is there."""
    if context.invoked_subcommand:
        return
    client = docker.from_env() if engine.answers() else None
    print(f"Executables, under {cache()}:")
    for tool in modules.TOOLS:
        there = toolchain.location(tool, cache()).exists()
        print(f"  {tool:24} {toolchain.version(toolchain.module_of(tool)):10} {'there' if there else '-'}")
    print(f"Images, in {'the local engine' if client else 'an engine (none answers here)'}:")
    tarball = base.tarball(cache())
    print(f"  {base.reference()} (its root file system {tarball} is {'there' if tarball.exists() else 'not made yet'})")
    for key in images.KEYS:
        there = client is not None and images.present(key, client)
        print(f"  {images.reference(key):48} {'there' if there else '-'}")


@app.command()
def build(names: list[str]) -> None:
    """Build executables and images by their names; an image goes before an executable of the same name."""
    started = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - started:6.1f}s {line}", flush=True)

    prepared = prepare(
        [name for name in names if name not in images.KEYS],
        [name for name in names if name in images.KEYS],
        cache(),
        report,
    )
    for name, where in {**prepared.tools, **prepared.images}.items():
        print(f"{name}: {where}")


if __name__ == "__main__":
    try:
        app()
    except LabError as error:
        sys.exit(str(error))
