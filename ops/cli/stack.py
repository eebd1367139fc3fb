"""Commands on a whole stack: up, preview, refresh, destroy, outputs, and Pulumi's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from images.errors import ImageError
from lab.errors import LabError
from ops.cli.common import Override, Stack, Yes, clear_errors, open_session
from ops.cli.validate import check
from ops.errors import OpsError
from ops.report import console, say, success

if TYPE_CHECKING:
    from ops.deployments.record import Program
    from ops.deployments.reviewed import Reviewed
    from ops.stack.session import Session

app = typer.Typer()

# Seconds that a stack may take after `up` until every target has been scraped and every rule evaluated.
_SETTLING = 90


@app.command()
def up(
    stack: Stack = "dev",
    config: Override = None,
    yes: Yes = False,
    rollback_on_failure: Annotated[
        bool, typer.Option("--rollback-on-failure", help="Go back to the last deployment that validated if this fails.")
    ] = False,
    plan: Annotated[Path | None, typer.Option(help="Do what `preview --save-plan` wrote there, or nothing.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write there as Markdown how it ended.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds that the checks may take until everything passes.")] = _SETTLING,
) -> None:
    """Bring the stack up, check it, and print its addresses."""
    with clear_errors():
        from ops.deployments.record import this_program
        from ops.deployments.reviewed import Reviewed
        from ops.deployments.summary import failed, succeeded

        try:
            reviewed = Reviewed.read(plan) if plan else None
            session = open_session(stack, config, create=True, yes=yes)
            program = this_program(session.settings, session.overrides)
            try:
                _deploy(session, program, reviewed, wait)
            except OpsError as error:
                if not rollback_on_failure:
                    raise
                from ops.deployments.failure import take_back

                raise take_back(session.workspace, program, error, yes=yes) from None
        except (OpsError, ImageError, LabError) as error:
            if summary:
                summary.write_text(failed(stack, str(error)))
            raise
        if summary:
            summary.write_text(succeeded(stack, program, session.outputs))
        _print(session.outputs)


def _deploy(session: "Session", program: "Program", reviewed: "Reviewed | None", wait: float) -> None:
    """Update the stack, check it, and note with the update whether it passed. Raises OpsError where it does not."""
    from ops.alerts.deployment import expected
    from ops.deployments.record import PASSED, note_validation

    with expected(session.settings, say):
        changes = session.up(program.message, reviewed)
    changed = {operation: count for operation, count in changes.items() if operation != "same"}
    say("changes: " + (", ".join(f"{count} {operation}" for operation, count in changed.items()) or "none"))
    backend = session.workspace.backend
    try:
        check(session, wait, json_file=None)
    except OpsError as error:
        note_validation(backend, session.name, program, str(error))
        raise
    note_validation(backend, session.name, program, PASSED)


@app.command()
def preview(
    stack: Stack = "dev",
    config: Override = None,
    refresh: Annotated[bool, typer.Option(help="Look first at what is really there.")] = False,
    expect_no_changes: Annotated[
        bool, typer.Option(help="Fail (exit code 3) when there is anything to change.")
    ] = False,
    save_plan: Annotated[Path | None, typer.Option(help="Write there what `up --plan` may do.")] = None,
) -> None:
    """Show what `up` would change, and change nothing."""
    with clear_errors():
        session = open_session(stack, config, create=True)
        changes = session.preview(refresh=refresh)
        if save_plan:
            session.reviewable().write(save_plan)
            say(f"the plan is in {save_plan}; apply it with: ops up --stack {stack} --plan {save_plan}")
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
