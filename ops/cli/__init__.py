"""`ops`: the commands, one file a group. A command imports what it needs when it runs."""

from typing import Annotated

import typer

from ops.cli import alerts, config, deployments, drill, images, preview, stack, stacks, up, validate

app = typer.Typer(
    help="""Bring the monitoring stack up, preview, check and take it down.

    Exit codes: 0 well; 1 something failed; 2 wrong arguments, wrong settings, or no engine; 3 there are changes
    (`preview --expect-no-changes`); 4 the plan is stale (`up --plan`); 130 interrupted. `images outdated` has some of
    its own. NO_COLOR takes the colours away.

    Example: ops up --stack dev
    """,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Without it, help is plain text, and Rich's Markdown is not loaded for it.
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import tomllib
        from pathlib import Path

        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
        typer.echo(f"{project['name']} {project['version']}")
        raise typer.Exit


@app.callback()
def ops(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; of reports only what did not pass.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    """Take the options that hold for every command."""
    if quiet:
        from ops.report import be_quiet

        be_quiet()


app.add_typer(up.app)
app.add_typer(stack.app)
app.add_typer(preview.app)
app.add_typer(stacks.app)
app.add_typer(deployments.app)
app.add_typer(validate.app)
app.add_typer(drill.app)
app.add_typer(alerts.alerts_app, name="alerts")
app.add_typer(alerts.silence_app, name="silence")
app.add_typer(config.app, name="config")
app.add_typer(images.images_app, name="images")
app.add_typer(images.bundle_app, name="bundle")
