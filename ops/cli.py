"""`ops`: the commands."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from config.images import image_keys_of
from ops import images, validation
from ops.drill import drill as run_drill
from ops.drill import drillable
from ops.errors import OpsError
from ops.home import cache
from ops.report import console, fail, say, show_drill, show_validation, success
from ops.session import Session

app = typer.Typer(
    help="Bring the monitoring stack up, preview, check and take it down.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

# Seconds that a stack may take after `up` until every target has been scraped and every rule evaluated.
_SETTLING = 90

images_app = typer.Typer(help="The images of the stack.", no_args_is_help=True)
bundle_app = typer.Typer(help="Images as one file, for a Docker host without a registry.", no_args_is_help=True)
app.add_typer(images_app, name="images")
app.add_typer(bundle_app, name="bundle")

Stack = Annotated[str, typer.Option("--stack", "-s", envvar="STACK", help="dev, prod, pr-<n>, or one of your own.")]
Override = Annotated[
    list[str] | None, typer.Option("--config", "-c", help="KEY=VALUE over the stack's configuration, for this command.")
]


@app.command()
def up(stack: Stack = "dev", config: Override = None) -> None:
    """Bring the stack up, check it, and print its addresses."""
    with _clear_errors():
        session = _session(stack, config, create=True)
        changes = session.up()
        changed = {operation: count for operation, count in changes.items() if operation != "same"}
        say("changes: " + (", ".join(f"{count} {operation}" for operation, count in changed.items()) or "none"))
        _validate(session, wait=_SETTLING, json_file=None)
        _print_outputs(session)


@app.command()
def preview(
    stack: Stack = "dev",
    config: Override = None,
    refresh: Annotated[bool, typer.Option(help="Look first at what is really there.")] = False,
    expect_no_changes: Annotated[
        bool, typer.Option(help="Fail (exit code 3) when there is anything to change.")
    ] = False,
) -> None:
    """Show what `up` would change, and change nothing."""
    with _clear_errors():
        changes = _session(stack, config, create=True).preview(refresh=refresh)
        if expect_no_changes and any(operation != "same" for operation in changes):
            raise OpsError(f"there are changes: {changes}", code=3)


@app.command()
def refresh(stack: Stack = "dev", config: Override = None) -> None:
    """Read back into the state what is really there."""
    with _clear_errors():
        changes = _session(stack, config).refresh()
        say("found: " + ", ".join(f"{count} {operation}" for operation, count in changes.items()))


@app.command()
def destroy(stack: Stack = "dev", config: Override = None) -> None:
    """Remove every container, volume and network of the stack."""
    with _clear_errors():
        _session(stack, config).destroy()
        success(f"{stack} is gone")


@app.command()
def outputs(
    stack: Stack = "dev",
    show_secrets: Annotated[bool, typer.Option(help="Print Grafana's password, too.")] = False,
) -> None:
    """Print the stack's addresses."""
    with _clear_errors():
        session = _session(stack, None)
        _print_outputs(session)
        password = session.settings.grafana.admin_password
        if show_secrets and password:
            console.print(f"grafana password  {password.get_secret_value()}", markup=False)


@app.command()
def validate(
    stack: Stack = "dev",
    config: Override = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait until everything passes.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report there, too.")] = None,
) -> None:
    """Check the running stack in seven categories; exit code 1 when anything fails."""
    with _clear_errors():
        _validate(_session(stack, config), wait, json_file)


@app.command()
def drill(
    names: Annotated[list[str] | None, typer.Argument(help="Alerts to provoke.")] = None,
    stack: Stack = "dev",
    config: Override = None,
    everything: Annotated[bool, typer.Option("--all", help="Every alert that can be drilled.")] = False,
) -> None:
    """Provoke alerts of a demo stack for real, time them, and mend what was broken."""
    with _clear_errors():
        if bool(names) == everything:
            raise OpsError(f"name alerts, or --all; there are: {', '.join(drillable())}", code=2)
        session = _session(stack, config)
        results = run_drill(names or [], session.deployed, session.engine, say)
        show_drill(results)
        if failed := [result.alert for result in results if result.problem]:
            raise OpsError(f"{len(failed)} of {len(results)} drills failed: {', '.join(failed)}")


@images_app.command("list")
def list_images(stack: Stack = "dev", config: Override = None) -> None:
    """Which image each service uses, and whether the Docker host has it."""
    with _clear_errors():
        session = _session(stack, config)
        there = images.local(image_keys_of(session.settings), session.settings, session.engine, cache())
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
    with _clear_errors():
        session = _session(stack, None)
        for key, digest in images.pin(session.settings, session.engine, say, keys or ()).items():
            success(f"{key} {digest}")


@bundle_app.command("save")
def save_bundle(file: Path, stack: Stack = "dev", config: Override = None) -> None:
    """Write all images of the stack into FILE, for a Docker host that reaches no registry."""
    with _clear_errors():
        session = _session(stack, config)
        keys = image_keys_of(session.deployed)
        entries = images.save_bundle(file, keys, session.deployed, session.engine, cache(), say)
        success(f"{len(entries)} images in {file}, {file.stat().st_size / 1e6:.0f} MB")


@bundle_app.command("load")
def load_bundle(file: Path, stack: Stack = "dev", config: Override = None) -> None:
    """Load the images in FILE into the stack's Docker host."""
    with _clear_errors():
        session = _session(stack, config)
        entries = images.load_bundle(file, session.engine, cache(), say)
        success(f"{len(entries)} images loaded")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pulumi(context: typer.Context, stack: Stack = "dev") -> None:
    """Run Pulumi's own command line on the stack: `ops pulumi -- stack export`."""
    with _clear_errors():
        raise typer.Exit(_session(stack, None).workspace.pulumi(*context.args).returncode)


def _session(stack: str, config: list[str] | None, *, create: bool = False) -> Session:
    overrides = {}
    for pair in config or []:
        key, separator, value = pair.partition("=")
        if not separator:
            raise OpsError(f"--config {pair!r} must be KEY=VALUE, such as grafanaPort=3001", code=2)
        overrides[key.removeprefix("monitoring:")] = value
    return Session(stack, overrides, create)


def _validate(session: Session, wait: float, json_file: Path | None) -> None:
    report = validation.validate(session.deployed, session.engine, wait, say)
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    show_validation(report)
    if report.count("fail"):
        raise OpsError(f"{report.count('fail')} checks of stack {session.name} failed")


def _print_outputs(session: Session) -> None:
    values = session.workspace.stack.outputs()
    if not values:
        raise OpsError(f"stack {session.name} is not up; bring it up with: ops up --stack {session.name}")
    for name, output in sorted(values.items()):
        success(f"{name:<13} {output.value}")


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Every known failure as its one message and exit code, without a traceback."""
    try:
        yield
    except OpsError as error:
        fail(str(error))
        sys.stdout.flush()
        raise typer.Exit(error.code) from None
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to go on")
        raise typer.Exit(130) from None
