"""`ops drill`: alerts provoked for real."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ops.cli.common import Override, Stack, clear_errors, open_session
from ops.errors import OpsError
from ops.report import console, say

if TYPE_CHECKING:
    from ops.drills.drill import Result

app = typer.Typer()


@app.command()
def drill(
    names: Annotated[list[str] | None, typer.Argument(help="Alerts to provoke.")] = None,
    stack: Stack = "dev",
    config: Override = None,
    everything: Annotated[bool, typer.Option("--all", help="Every alert that can be drilled.")] = False,
) -> None:
    """Provoke alerts of a demo stack for real, time them, and mend what was broken.

    Example: ops drill RedisDown KongHighLatency
    """
    with clear_errors():
        from ops.drills.drill import drill as run_drill
        from ops.drills.drill import drillable

        if bool(names) == everything:
            raise OpsError(f"name alerts, or --all; there are: {', '.join(drillable())}", code=2)
        session = open_session(stack, config)
        results = run_drill(names or [], session.deployed, session.engine, say)
        show_drill(results)
        if failed := [result.alert for result in results if result.problem]:
            raise OpsError(f"{len(failed)} of {len(results)} drills failed: {', '.join(failed)}")


def show_drill(results: Sequence["Result"]) -> None:
    """A line for each drill: seconds from the fault to firing and to Alertmanager, from mending to the end."""
    from rich.table import Table

    table = Table("alert", "fires after", "notified after", "resolved after", "", box=None, header_style="bold")
    # Whole names also where the terminal is narrow, or a file: they are what the drill is called by.
    table.columns[0].min_width = max(len(result.alert) for result in results)
    for result in results:
        seconds = (
            "-" if value is None else f"{value:.0f} s" for value in (result.fired, result.notified, result.resolved)
        )
        table.add_row(result.alert, *seconds, f"[bold red]{escape(result.problem)}[/bold red]")
    console.print(table)
