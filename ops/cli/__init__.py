"""`ops`: the commands, one file a group. A command imports what it needs when it runs."""

import typer

from ops.cli import alerts, config, deployments, drill, images, preview, stack, stacks, up, validate

app = typer.Typer(
    help="Bring the monitoring stack up, preview, check and take it down.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Without it, help is plain text, and Rich's Markdown is not loaded for it.
    rich_markup_mode=None,
)
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
