"""How the reports of `ops validate`, `ops smoke` and `ops doctor` are shown and written."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ops import report as terminal

if TYPE_CHECKING:
    from ops.validation.report import Report

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the report there as JSON; '-' prints it in place of the lines.")
]
JunitFile = Annotated[Path | None, typer.Option("--junit", help="Write the report there as JUnit XML, too.")]

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "yellow"}
_STANDARD_OUTPUT = Path("-")


def prepare(json_file: Path | None) -> None:
    """Keep standard output free for the report, where that is where it goes: what else is said goes to the errors."""
    if json_file == _STANDARD_OUTPUT:
        terminal.leave_standard_output()


def hand_over(report: "Report", command: str, json_file: Path | None, junit_file: Path | None) -> None:
    """Show the report of `ops COMMAND`, and write it where the options say."""
    text = json.dumps(report.as_dict(), indent=2)
    if json_file == _STANDARD_OUTPUT:
        terminal.answer(text)
    else:
        show_report(report)
        if json_file:
            _write(json_file, f"{text}\n")
    if junit_file:
        _write(junit_file, report.as_junit(command))


def show_report(report: "Report") -> None:
    """A line for each check, by category, and the summary; what did not pass has what was expected, and what to do.

    With `ops --quiet`: what failed, with the summary; where nothing did, what there is a warning about.
    """
    loud = {"pass", "warn", "fail", "skip"}
    if terminal.is_quiet():
        loud = {"fail"} if report.count("fail") else {"warn"}
    for category, checks in report.categories.items():
        shown = [check for check in checks if check.result in loud]
        if not shown:
            continue
        terminal.console.print(f"\n[bold]{category}[/bold]")
        for check in shown:
            colour = _COLOURS[check.result]
            name, detail = escape(check.name), escape(check.detail)
            terminal.console.print(f"  [{colour}]{check.result:<4}[/{colour}] {name}  [dim]{detail}[/dim]")
            if check.expected:
                terminal.console.print(f"       [dim]expected: {escape(check.expected)}[/dim]")
            if check.hint:
                terminal.console.print(f"       to do: {escape(check.hint)}")
    if terminal.is_quiet() and not report.count("fail"):
        return
    passed, failed, skipped = (report.count(result) for result in ("pass", "fail", "skip"))
    warned = f", {report.count('warn')} to look at" if report.count("warn") else ""
    colour = _COLOURS["fail" if failed else "pass"]
    terminal.console.print(
        f"\n[{colour}]{passed} passed, {failed} failed{warned}, {skipped} left out[/{colour}]"
        f" [dim]in {report.seconds:.1f} s, stack {report.stack}[/dim]"
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
