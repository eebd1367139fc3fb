"""`ops stacks` and `ops sweep`: every stack at a glance, and the end of those that have had their time."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.common import Yes, ask, clear_errors, open_session
from ops.errors import OpsError
from ops.report import answer, console, fail, leave_standard_output, say, show, success

if TYPE_CHECKING:
    from ops.deployments.overview import StackNow

app = typer.Typer()


@app.command()
def stacks(as_json: Annotated[bool, typer.Option("--json", help="As JSON, with all that is known.")] = False) -> None:
    """List every stack: where it runs, since when, of which revision, and what is not as it was deployed.

    Example: ops stacks --json
    """
    with clear_errors():
        if as_json:
            leave_standard_output()
        found = _overview()
        if as_json:
            answer(json.dumps([stack.as_dict() for stack in found], indent=2))
        else:
            _table(found)


@app.command()
def sweep(
    older_than: Annotated[str, typer.Option(help="How long after its last deployment a pr-<n> goes.")] = "3d",
    only: Annotated[str, typer.Option(help="Only stacks whose names match this pattern, such as 'pr-45*'.")] = "*",
    yes: Yes = False,
) -> None:
    """Destroy the stacks of pull requests that are too old, or only half there.

    Example: ops sweep --older-than 3d --yes
    """
    with clear_errors():
        from datetime import UTC, datetime, timedelta

        from config.durations import seconds
        from ops.deployments.sweep import doomed

        try:
            limit = timedelta(seconds=seconds(older_than))
        except ValueError as error:
            raise OpsError(f"--older-than: {error}", code=2) from None
        going = list(doomed(_overview(), datetime.now(UTC), limit, only))
        if not going:
            success("there is nothing to sweep")
            return
        for each in going:
            console.print(f"{each.stack.name}: {each.why}", markup=False)
        if not yes:
            ask("These stacks are destroyed, their data, too.")
        failed = [each.stack.name for each in going if not _destroy(each.stack)]
        if failed:
            raise OpsError(f"{len(failed)} of {len(going)} stacks could not be destroyed: {', '.join(failed)}")
        success(f"swept {', '.join(each.stack.name for each in going)}")


def _overview() -> "list[StackNow]":
    from lab.cache import cache
    from ops.deployments.overview import overview
    from ops.home import ready_home
    from ops.stack import preflight, toolchain, workspace
    from ops.stack.backend import Backend

    home = ready_home()
    command = toolchain.pulumi(cache(), say)
    backend = Backend(command.command, workspace.stacks_directory(home), workspace.environment(home))
    return overview(backend, preflight.connect)


def _destroy(stack: "StackNow") -> bool:
    """Whether the stack is gone; where it is not, this says why, as the others have to go in any case."""
    where = [f"dockerHost={stack.host}"] if stack.host else []
    try:
        open_session(stack.name, where, create=not stack.known, yes=True).destroy()
    except OpsError as error:
        fail(f"{stack.name}: {error}")
        return False
    return True


def _drift(stack: "StackNow") -> str:
    if stack.problem or not stack.answers:
        return stack.problem or "not known: its Docker engine does not answer"
    return "; ".join(stack.drift) or ("none" if stack.known else "not known")


def _table(found: "Sequence[StackNow]") -> None:
    from datetime import UTC, datetime

    from rich.markup import escape
    from rich.table import Table

    from ops.deployments.sweep import spoken

    now = datetime.now(UTC)
    table = Table("stack", "where", "running", "deployed", "revision", "result", "age", "drift", box=None)
    for stack in found:
        table.add_row(
            stack.name,
            stack.host or "this machine",
            f"{stack.running} of {stack.containers}" if stack.answers else "-",
            f"{stack.deployed:%Y-%m-%d %H:%M} UTC" if stack.deployed else "-",
            str(stack.revision),
            stack.result,
            spoken(now - stack.made) if stack.made else "-",
            escape(_drift(stack)),
        )
    show(table)
