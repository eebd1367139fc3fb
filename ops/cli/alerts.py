"""`ops alerts` and `ops silence`: what fires, whether notifications arrive, and planned quiet."""

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.common import Stack, clear_errors, open_session
from ops.errors import OpsError
from ops.report import say, show, success

if TYPE_CHECKING:
    from ops.alerts.overview import Row
    from ops.alerts.trial import Result

alerts_app = typer.Typer(invoke_without_command=True)
silence_app = typer.Typer(no_args_is_help=True)

# The group's own --stack holds where the command has none.
_Stack = Annotated[str, typer.Option("--stack", "-s", help="As for every command.")]


@alerts_app.callback()
def alerts(context: typer.Context, stack: Stack = "dev") -> None:
    """Show what fires, since when, who is told, and what keeps it quiet.

    Example: ops alerts --stack prod
    """
    context.obj = stack
    if context.invoked_subcommand:
        return
    with clear_errors():
        from ops.alerts.client import Client
        from ops.alerts.overview import overview

        show_alerts(overview(Client(open_session(stack).settings.alertmanager_url)))


@alerts_app.command("test")
def send_test(
    context: typer.Context,
    priority: Annotated[str, typer.Option(help="P1, P2 or P3.")] = "P3",
    stack: _Stack = "",
) -> None:
    """Send an alert that is marked as a test to everybody who would be told, and say what they answered.

    Example: ops alerts test --priority P1 --stack prod
    """
    with clear_errors():
        from ops.alerts.trial import trial

        session = open_session(stack or context.obj)
        say(f"sending a test alert of priority {priority}")
        results = trial(session.settings, session.engine, priority)
        show_trial(results)
        if failed := [f"{result.way.receiver} by {result.way.integration}" for result in results if not result.taken]:
            raise OpsError(f"the test alert did not reach {', '.join(failed)}")
        success("everybody took it")


@silence_app.callback()
def silence(context: typer.Context, stack: Stack = "dev") -> None:
    """Keep alerts quiet while somebody works on what they tell.

    Example: ops silence list --stack prod
    """
    context.obj = stack


@silence_app.command("add")
def add(
    context: typer.Context,
    matchers: Annotated[list[str], typer.Argument(help='Such as component=database or alertname=~"Kong.*".')],
    reason: Annotated[str, typer.Option(help="Why, for whoever is on call.")],
    duration: Annotated[str, typer.Option("--for", help="How long, such as 30m or 2h.")] = "1h",
    author: Annotated[str, typer.Option(help="Who; default: you.")] = "",
    stack: _Stack = "",
) -> None:
    """Silence what all matchers hold for.

    Example: ops silence add component=database --for 2h --reason "new disks" --stack prod
    """
    with clear_errors():
        from ops.alerts import silences

        settings = open_session(stack or context.obj).settings
        known = silences.add(settings, matchers, duration=duration, author=author or getpass.getuser(), reason=reason)
        success(f"silenced for {duration}; end it with: ops silence end {known[:8]} --stack {settings.stack}")


@silence_app.command("list")
def show_silences(context: typer.Context, stack: _Stack = "") -> None:
    """Show the silences that hold or will.

    Example: ops silence list --stack prod
    """
    with clear_errors():
        from rich.markup import escape
        from rich.table import Table

        from ops.alerts.client import Client
        from ops.alerts.silences import Matcher

        table = Table("id", "what", "until (UTC)", "author", "reason", box=None, header_style="bold")
        for one in Client(open_session(stack or context.obj).settings.alertmanager_url).silences():
            what = ", ".join(str(Matcher.of(matcher)) for matcher in one["matchers"])
            until = one["endsAt"][:19].replace("T", " ")
            table.add_row(*map(escape, (one["id"][:8], what, until, one["createdBy"], one["comment"])))
        if table.row_count:
            show(table)
        else:
            say("nothing is silenced")


@silence_app.command("end")
def end(
    context: typer.Context,
    known: Annotated[str, typer.Argument(help="The id, or how it begins.")],
    stack: _Stack = "",
) -> None:
    """End a silence now.

    Example: ops silence end 3f1c --stack prod
    """
    with clear_errors():
        from ops.alerts import silences

        success(f"ended {silences.end(open_session(stack or context.obj).settings, known)}")


def show_alerts(rows: Sequence["Row"]) -> None:
    """A line for each alert."""
    from rich.markup import escape
    from rich.table import Table

    colours = {"P1": "bold red", "P2": "yellow", "P3": "cyan"}
    table = Table("alert", "priority", "where", "since (UTC)", "told", "quiet because", box=None, header_style="bold")
    table.columns[0].min_width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        colour = "dim" if row.quiet else colours.get(row.priority, "dim")
        told = "nobody" if row.quiet else ", ".join(row.receivers)
        cells = (row.name, row.priority, row.where, f"{row.since:%Y-%m-%d %H:%M:%S}", told, row.quiet)
        table.add_row(*(f"[{colour}]{escape(cell)}[/{colour}]" if cell else "" for cell in cells))
    show(table)


def show_trial(results: Sequence["Result"]) -> None:
    """A line for each way out."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("receiver", "by", "result", "answer", box=None, header_style="bold")
    for result in results:
        colour, word = ("green", "taken") if result.taken else ("bold red", "failed")
        cells = (result.way.receiver, result.way.integration, word, result.answer)
        table.add_row(*(f"[{colour}]{escape(cell)}[/{colour}]" for cell in cells))
    show(table)
