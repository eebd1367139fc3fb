"""Lines for the person at the terminal."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.drill import Result
from ops.validation import Report

console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_started = time.monotonic()


def say(message: str) -> None:
    """A line of progress, with the seconds since the command began."""
    console.print(f"[dim]{time.monotonic() - _started:6.1f}s[/dim] {escape(message)}")


def success(message: str) -> None:
    """What was reached."""
    console.print(f"[bold green]{escape(message)}[/bold green]")


def warn(message: str) -> None:
    """What is missing but stops nothing."""
    console.print(f"[yellow]{escape(message)}[/yellow]")


def fail(message: str) -> None:
    """Why a command stopped, on standard error."""
    _errors.print(f"[bold red]{escape(message)}[/bold red]")


_COLOURS = {"pass": "green", "fail": "bold red", "skip": "yellow"}


def show_validation(report: Report) -> None:
    """The report of `validate`: a line for each check, by category, and the summary."""
    for category, checks in report.categories.items():
        console.print(f"\n[bold]{category}[/bold]")
        for check in checks:
            colour = _COLOURS[check.result]
            console.print(
                f"  [{colour}]{check.result:<4}[/{colour}] {escape(check.name)}  [dim]{escape(check.detail)}[/dim]"
            )
    passed, failed, skipped = (report.count(result) for result in ("pass", "fail", "skip"))  # type: ignore[arg-type]
    colour = _COLOURS["fail" if failed else "pass"]
    console.print(
        f"\n[{colour}]{passed} passed, {failed} failed, {skipped} left out[/{colour}]"
        f" [dim]in {report.seconds:.1f} s, stack {report.stack}[/dim]"
    )


def show_drill(results: Sequence[Result]) -> None:
    """A line for each drill: seconds from the fault to firing and to Alertmanager, from mending to the end."""
    table = Table("alert", "fires after", "notified after", "resolved after", "", box=None, header_style="bold")
    # Whole names also where the terminal is narrow, or a file: they are what the drill is called by.
    table.columns[0].min_width = max(len(result.alert) for result in results)
    for result in results:
        seconds = (
            "-" if value is None else f"{value:.0f} s" for value in (result.fired, result.notified, result.resolved)
        )
        table.add_row(result.alert, *seconds, f"[bold red]{escape(result.problem)}[/bold red]")
    console.print(table)
