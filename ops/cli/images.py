"""`ops images` and `ops bundle`: which images, from where, how far behind, and as one file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cache import cache
from ops.cli.common import Override, Stack, clear_errors, open_session
from ops.report import console, say, success, warn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from images.outdated import Finding, State

images_app = typer.Typer(help="The images of the stack.", no_args_is_help=True)
bundle_app = typer.Typer(help="Images as one file, for a Docker host without a registry.", no_args_is_help=True)


@images_app.command("list")
def list_images(stack: Stack = "dev", config: Override = None) -> None:
    """Which image each service uses, and whether the Docker host has it.

    Example: ops images list --stack prod
    """
    with clear_errors():
        from images.catalogue import image_keys_of
        from images.local import local

        session = open_session(stack, config)
        there = local(image_keys_of(session.settings), session.settings, session.engine, cache())
        for key, (image, reference) in there.items():
            console.print(f"{key:<18} {image.name:<56} {reference or 'not here'}", markup=False)


@images_app.command("pin")
def pin_images(
    keys: Annotated[
        list[str] | None, typer.Argument(help="Keys of config/images.yaml; all when none is given.")
    ] = None,
    stack: Stack = "dev",
) -> None:
    """Ask the registries which digest each tag is, and write it into config/images.yaml.

    Example: ops images pin prometheus loki
    """
    with clear_errors():
        from images.pin import pin

        session = open_session(stack)
        for key, digest in pin(session.settings, session.engine, say, keys or ()).items():
            success(f"{key} {digest}")


@images_app.command("ops")
def ops_image(
    base: Annotated[str, typer.Option(help="The image to build on: a Debian with Python 3.11 or newer.")],
    tag: Annotated[str, typer.Option(help="What to call it.")] = "monitoring-ops",
    packages: Annotated[
        str, typer.Option(help="Packages of Debian to install besides; empty for none.")
    ] = "git make openssh-client",
) -> None:
    """Build an image of `ops` itself, for pipelines: it runs the checkout that is mounted at /work.

    Example: ops images ops --base debian:trixie
    """
    with clear_errors():
        from ops.image.build import build
        from ops.stack import preflight

        build(base, tag, packages, preflight.engine("", say), say)
        success(f"{tag} is built; run it with: docker run --volume .:/work {tag} --help")


# The exit code of `ops images outdated` by the worst state; 1 and 2 are for commands that fail and wrong arguments.
_CODES: "Mapping[State, int]" = {
    "current": 0,
    "unknown": 5,
    "patch": 3,
    "ends soon": 3,
    "ended": 4,
    "unpublished": 4,
}
_WORST = (4, 3, 5, 0)


@images_app.command("outdated")
def outdated_images(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of the table.")] = False,
    endoflife: Annotated[
        str, typer.Option(help="Address of endoflife.date, or of a mirror of it.", envvar="MONITORING_ENDOFLIFE_URL")
    ] = "https://endoflife.date",
) -> None:
    """Which images are behind their registries, and which lines are no longer mended.

    Exit code 0: nothing to do; 3: a newer patch release, or support ends soon; 4: support has ended, or the registry
    has no such tag; 5: none of these as far as is known, but something could not be asked.

    Example: ops images outdated --json
    """
    with clear_errors():
        from datetime import UTC, datetime, timedelta

        from config.defaults import default_thresholds
        from config.support import support_table
        from images.catalogue import catalogue
        from images.outdated import outdated

        today = datetime.now(UTC).date()
        soon = timedelta(seconds=default_thresholds()["support_left:seconds"])
        findings = outdated(catalogue().values(), support_table(), today, endoflife)
        states = [finding.state(today, soon) for finding in findings]
        if as_json:
            rows = [finding.as_dict(today, soon) for finding in findings]
            console.print(json.dumps(rows, indent=2), markup=False)
        else:
            _show_outdated(findings, states)
    codes = {_CODES[state] for state in states} | {0}
    raise typer.Exit(next(code for code in _WORST if code in codes))


def _show_outdated(findings: "Sequence[Finding]", states: "Sequence[State]") -> None:
    """A line for each image, and then what could not be asked."""
    row = "{:<18} {:<18} {:<18} {:<18} {:<16} {}".format
    console.print(row("image", "pinned", "newest patch", "newest", "supported until", "state"), style="bold")
    for finding, state in zip(findings, states, strict=True):
        until = str(finding.until or {True: "no day is set", False: "no longer", None: "?"}[finding.supported])
        versions = [str(version or "?") for version in (finding.pinned, finding.patch, finding.newest)]
        console.print(row(finding.key, *versions, until, state), markup=False)
    for finding in findings:
        for problem in finding.problems:
            warn(f"{finding.key}: {problem}")


@bundle_app.command("save")
def save_bundle(file: Path, stack: Stack = "dev", config: Override = None) -> None:
    """Write all images of the stack into FILE, for a Docker host that reaches no registry.

    Example: ops bundle save images.tar --stack prod
    """
    with clear_errors():
        from images.bring import save_bundle as save
        from images.catalogue import image_keys_of

        session = open_session(stack, config)
        keys = image_keys_of(session.deployed)
        entries = save(file, keys, session.deployed, session.engine, cache(), say)
        success(f"{len(entries)} images in {file}, {file.stat().st_size / 1e6:.0f} MB")


@bundle_app.command("load")
def load_bundle(file: Path, stack: Stack = "dev", config: Override = None) -> None:
    """Load the images in FILE into the stack's Docker host.

    Example: ops bundle load images.tar --stack prod
    """
    with clear_errors():
        from images.bring import load_bundle as load

        session = open_session(stack, config)
        entries = load(file, session.engine, cache(), say)
        success(f"{len(entries)} images loaded")
