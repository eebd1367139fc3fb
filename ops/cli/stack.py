"""Commands on a whole stack: refresh, destroy, outputs, and Pulumi's own."""

from collections.abc import Mapping
from typing import Annotated

import typer

from ops.cli.common import Override, Stack, Yes, clear_errors, open_session
from ops.errors import OpsError
from ops.report import console, say, success

app = typer.Typer()


@app.command()
def refresh(stack: Stack = "dev", config: Override = None) -> None:
    """Read back into the state what is really there.

    Example: ops refresh --stack prod
    """
    with clear_errors():
        changes = open_session(stack, config).refresh()
        say("found: " + ", ".join(f"{count} {operation}" for operation, count in changes.items()))


@app.command()
def destroy(stack: Stack = "dev", config: Override = None, yes: Yes = False) -> None:
    """Remove every container, volume and network of the stack.

    Example: ops destroy --stack pr-12 --yes
    """
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
    """Print the stack's addresses.

    Example: ops outputs --show-secrets
    """
    with clear_errors():
        session = open_session(stack)
        if not session.state.outputs:
            raise OpsError(f"stack {stack} is not up; bring it up with: ops up --stack {stack}")
        print_outputs(session.state.outputs)
        password = session.settings.grafana.admin_password
        if show_secrets and password:
            console.print(f"grafana password  {password.get_secret_value()}", markup=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pulumi(context: typer.Context, stack: Stack = "dev") -> None:
    """Run Pulumi's own command line on the stack.

    Example: ops pulumi --stack prod -- stack export
    """
    with clear_errors():
        raise typer.Exit(open_session(stack).workspace.pulumi(*context.args).returncode)


def print_outputs(outputs: Mapping[str, str]) -> None:
    """The addresses of a stack, by name."""
    for name, value in sorted(outputs.items()):
        success(f"{name:<13} {value}")
