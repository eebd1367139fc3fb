"""`ops images` and `ops bundle`: which images, from where, and as one file."""

from pathlib import Path
from typing import Annotated

import typer

from lab.cache import cache
from ops.cli.common import Override, Stack, clear_errors, open_session
from ops.report import console, say, success

images_app = typer.Typer(help="The images of the stack.", no_args_is_help=True)
bundle_app = typer.Typer(help="Images as one file, for a Docker host without a registry.", no_args_is_help=True)


@images_app.command("list")
def list_images(stack: Stack = "dev", config: Override = None) -> None:
    """Which image each service uses, and whether the Docker host has it."""
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
    """Ask the registries which digest each tag is, and write it into config/images.yaml."""
    with clear_errors():
        from images.pin import pin

        session = open_session(stack)
        for key, digest in pin(session.settings, session.engine, say, keys or ()).items():
            success(f"{key} {digest}")


@bundle_app.command("save")
def save_bundle(file: Path, stack: Stack = "dev", config: Override = None) -> None:
    """Write all images of the stack into FILE, for a Docker host that reaches no registry."""
    with clear_errors():
        from images.bring import save_bundle as save
        from images.catalogue import image_keys_of

        session = open_session(stack, config)
        keys = image_keys_of(session.deployed)
        entries = save(file, keys, session.deployed, session.engine, cache(), say)
        success(f"{len(entries)} images in {file}, {file.stat().st_size / 1e6:.0f} MB")


@bundle_app.command("load")
def load_bundle(file: Path, stack: Stack = "dev", config: Override = None) -> None:
    """Load the images in FILE into the stack's Docker host."""
    with clear_errors():
        from images.bring import load_bundle as load

        session = open_session(stack, config)
        entries = load(file, session.engine, cache(), say)
        success(f"{len(entries)} images loaded")
