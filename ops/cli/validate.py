"""`ops validate`: the seven categories."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ops.cli.common import Override, Stack, clear_errors, open_session
from ops.errors import OpsError
from ops.report import console, say

if TYPE_CHECKING:
    from ops.stack.session import Session
    from ops.validation import Report

app = typer.Typer()

_COLOURS = {"pass": "green", "fail": "bold red", "skip": "yellow"}


@app.command()
def validate(
    stack: Stack = "dev",
    config: Override = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait until everything passes.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report there, too.")] = None,
) -> None:
    """Check the running stack in seven categories; exit code 1 when anything fails."""
    with clear_errors():
        check(open_session(stack, config), wait, json_file)


def check(session: "Session", wait: float, json_file: Path | None) -> None:
    """Check the stack, show the report, write it to `json_file`; raises OpsError when anything fails.

    Checks again what did not pass until `wait` seconds are over.
    """
    from ops import validation

    report = validation.validate(session.deployed, session.engine, wait, say)
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    show_validation(report)
    if report.count("fail"):
        raise OpsError(f"{report.count('fail')} checks of stack {session.name} failed")


def show_validation(report: "Report") -> None:
    """The report of `validate`: a line for each check, by category, and the summary."""
    for category, checks in report.categories.items():
        console.print(f"\n[bold]{category}[/bold]")
        for check in checks:
            colour = _COLOURS[check.result]
            console.print(
                f"  [{colour}]{check.result:<4}[/{colour}] {escape(check.name)}  [dim]{escape(check.detail)}[/dim]"
            )
    passed, failed, skipped = (report.count(result) for result in ("pass", "fail", "skip"))
    colour = _COLOURS["fail" if failed else "pass"]
    console.print(
        f"\n[{colour}]{passed} passed, {failed} failed, {skipped} left out[/{colour}]"
        f" [dim]in {report.seconds:.1f} s, stack {report.stack}[/dim]"
    )
