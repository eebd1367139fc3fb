"""Lines for the person at the terminal.

The environment variable NO_COLOR takes the colours away (https://no-color.org); Rich heeds it, and gives none to a file
or a pipe.
"""

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from rich.table import Table

console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
# Columns of a file or a pipe.
_PAPER = 250
_started = time.monotonic()


@dataclass
class _How:
    """How the lines of this process are printed."""

    quiet: bool = False


_how = _How()


def be_quiet() -> None:
    """From now on: no lines of progress, and of reports only what did not pass."""
    _how.quiet = True


def is_quiet() -> bool:
    """Whether `be_quiet` was called."""
    return _how.quiet


def show(table: "Table") -> None:
    """A table, as wide as it needs where nobody's terminal limits it."""
    # Another console, as one prints nothing that is wider than itself.
    wide = console if console.is_terminal else Console(highlight=False, width=_PAPER)
    wide.print(table)


def say(message: str) -> None:
    """A line of progress, with the seconds since the command began."""
    if not _how.quiet:
        console.print(f"[dim]{time.monotonic() - _started:6.1f}s[/dim] {escape(message)}")


def leave_standard_output() -> None:
    """Print on standard error from now on, as standard output belongs to what the command was asked for."""
    console.stderr = True


def answer(text: str) -> None:
    """What the command was asked for, on standard output, wherever the rest goes."""
    sys.stdout.write(f"{text}\n")


def success(message: str) -> None:
    """What was reached."""
    console.print(f"[bold green]{escape(message)}[/bold green]")


def warn(message: str) -> None:
    """What is missing but stops nothing."""
    console.print(f"[yellow]{escape(message)}[/yellow]")


def fail(message: str) -> None:
    """Why a command stopped, on standard error."""
    _errors.print(f"[bold red]{escape(message)}[/bold red]")
