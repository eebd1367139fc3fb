"""Commands on a whole stack: up, preview, refresh, destroy, outputs, and Pulumi's own."""

from collections.abc import Mapping
from typing import Annotated

import typer

from ops.cli.common import Override, Stack, Yes, clear_errors, open_session
from ops.cli.validate import check
from ops.errors import OpsError
from ops.report import console, say, success

app = typer.Typer()

# Seconds that a stack may take after `up` until every target has been scraped and every rule evaluated.
_SETTLING = 90


@app.command()
def up(stack: Stack = "dev", config: Override = None, yes: Yes = False) -> None:
    """Bring the stack up, check it, and print its addresses."""
    with clear_errors():
        from ops.alerts.deployment import expected

        session = open_session(stack, config, create=True, yes=yes)
        with expected(session.settings, say):
            changes = session.up()
        changed = {operation: count for operation, count in changes.items() if operation != "same"}
        say("changes: " + (", ".join(f"{count} {operation}" for operation, count in changed.items()) or "none"))
        check(session, wait=_SETTLING, json_file=None)
        _print(session.outputs)


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
    with clear_errors():
        changes = open_session(stack, config, create=True).preview(refresh=refresh)
        if expect_no_changes and any(operation != "same" for operation in changes):
            raise OpsError(f"there are changes: {changes}", code=3)


@app.command()
def refresh(stack: Stack = "dev", config: Override = None) -> None:
    """Read back into the state what is really there."""
    with clear_errors():
        changes = open_session(stack, config).refresh()
        say("found: " + ", ".join(f"{count} {operation}" for operation, count in changes.items()))


@app.command()
def destroy(stack: Stack = "dev", config: Override = None, yes: Yes = False) -> None:
    """Remove every container, volume and network of the stack."""
    with clear_errors():
        session = open_session(stack, config, create=True, yes=yes)
        found = session.destroy()
        if found.kept:
            host = session.workspace.configuration.get("dockerHost", "")
            volumes = " ".join(sorted(found.kept))
            success(f"{stack} is gone, but for its data, which is protected (monitoring:protect): {volumes}")
            success(f"to remove that, too: docker {f'--host {host} ' if host else ''}volume rm {volumes}")
        else:
            success(f"{stack} is gone" if found.anything else f"there is nothing of {stack} here")


@app.command()
def outputs(
    stack: Stack = "dev",
    show_secrets: Annotated[bool, typer.Option(help="Print Grafana's password, too.")] = False,
) -> None:
    """Print the stack's addresses."""
    with clear_errors():
        session = open_session(stack)
        if not session.state.outputs:
            raise OpsError(f"stack {stack} is not up; bring it up with: ops up --stack {stack}")
        _print(session.state.outputs)
        password = session.settings.grafana.admin_password
        if show_secrets and password:
            console.print(f"grafana password  {password.get_secret_value()}", markup=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pulumi(context: typer.Context, stack: Stack = "dev") -> None:
    """Run Pulumi's own command line on the stack: `ops pulumi -- stack export`."""
    with clear_errors():
        raise typer.Exit(open_session(stack).workspace.pulumi(*context.args).returncode)


def _print(outputs: Mapping[str, str]) -> None:
    for name, value in sorted(outputs.items()):
        success(f"{name:<13} {value}")
