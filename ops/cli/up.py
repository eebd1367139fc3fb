"""`ops up`: bring a stack up, check it, note how that ended; and back again where it failed and that was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from images.errors import ImageError
from lab.errors import LabError
from ops.cli.common import Override, Stack, Yes, clear_errors, open_session
from ops.cli.stack import print_outputs
from ops.cli.validate import check
from ops.errors import OpsError
from ops.report import say

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
    """Bring the stack up, check it, and print its addresses.

    Example: ops up --stack prod
    """
    with clear_errors(), _failure_in(summary, stack):
        from ops.deployments.record import this_program
        from ops.deployments.reviewed import Reviewed
        from ops.deployments.summary import succeeded

        reviewed = Reviewed.read(plan) if plan else None
        session = open_session(stack, config, create=True, yes=yes)
        program = this_program(session.settings, session.overrides)
        with _taken_back(session, program, yes) if rollback_on_failure else nullcontext():
            _deploy(session, program, reviewed, wait)
        if summary:
            summary.write_text(succeeded(stack, program, session.outputs))
        print_outputs(session.outputs)


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


@contextmanager
def _taken_back(session: "Session", program: "Program", yes: bool) -> Iterator[None]:
    """Where what is done here fails, take the deployment back; raises OpsError with both outcomes."""
    try:
        yield
    except OpsError as error:
        from ops.deployments.failure import take_back

        raise take_back(session.workspace, program, error, yes=yes) from None


@contextmanager
def _failure_in(summary: Path | None, stack: str) -> Iterator[None]:
    """Where what is done here fails, write why to the file `summary`, if there is one."""
    try:
        yield
    except (OpsError, ImageError, LabError) as error:
        if summary:
            from ops.deployments.summary import failed

            summary.write_text(failed(stack, str(error)))
        raise
