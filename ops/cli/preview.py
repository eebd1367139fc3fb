"""`ops preview`: what `up` would change, for a person, for a pull request, or for a program."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from images.errors import ImageError
from lab.errors import LabError
from ops.cli.common import Override, Stack, clear_errors, open_session
from ops.errors import OpsError
from ops.report import leave_standard_output, say

if TYPE_CHECKING:
    from ops.plan.model import Plan

app = typer.Typer()


class Format(StrEnum):
    """How a plan is told."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    DIFF = "diff"


@app.command()
def preview(
    stack: Stack = "dev",
    config: Override = None,
    format: Annotated[
        Format,
        typer.Option(help="For a terminal, a comment on a pull request, or a program; diff: Pulumi's own lines."),
    ] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(help="Write it to this file, also when the preview fails.")] = None,
    artifact: Annotated[
        Path | None, typer.Option(help="Write all of it to this file, also what does not fit into a comment.")
    ] = None,
    backtest: Annotated[
        str,
        typer.Option(
            envvar="MONITORING_BACKTEST",
            help="Address of a Prometheus on whose past the new and changed alerts are tried.",
        ),
    ] = "",
    window: Annotated[str, typer.Option(help="How far back that goes, such as 7d or 12h.")] = "7d",
    backtest_queries: Annotated[int, typer.Option(help="Queries that Prometheus is asked at most.", min=1)] = 200,
    backtest_seconds: Annotated[float, typer.Option(help="Seconds that all of them may take.", min=1)] = 60,
    backtest_points: Annotated[
        int, typer.Option(help="Points in time at which an alert is looked at, at most.", min=2)
    ] = 44_000,
    refresh: Annotated[bool, typer.Option(help="Look first at what is really there.")] = False,
    expect_no_changes: Annotated[
        bool, typer.Option(help="Fail (exit code 3) when there is anything to change.")
    ] = False,
    save_plan: Annotated[Path | None, typer.Option(help="Write there what `up --plan` may do.")] = None,
) -> None:
    """Show what `up` would change, and change nothing.

    Example: ops preview --stack prod --backtest http://prometheus:9090 --window 7d
    """
    if format != Format.TEXT:
        leave_standard_output()
    with clear_errors():
        try:
            past = _seconds(window) if _checked(backtest) else 0
            session = open_session(stack, config, create=True)
            found = session.preview(refresh=refresh)
            plan = found.plan
            if backtest:
                from ops.plan import backtest as trial

                limits = trial.Limits(backtest_queries, backtest_seconds, backtest_points)
                interval = _seconds(session.settings.prometheus.evaluation_interval)
                tried = trial.backtest(backtest, past, found.alerts, interval=interval, limits=limits)
                plan = dataclasses.replace(plan, backtest=tried)
            if format == Format.DIFF:
                _write("".join(f"{line}\n" for line in found.diff), output)
            else:
                _write(_told(plan, format, artifact), output)
            if artifact:
                _write(_whole(plan, format), artifact)
            if save_plan:
                session.reviewable().write(save_plan)
                say(f"the plan is in {save_plan}; apply it with: ops up --stack {stack} --plan {save_plan}")
        except (OpsError, ImageError, LabError) as error:
            if output:
                _write(_failed(stack, str(error), format), output)
            raise
        if expect_no_changes and not plan.empty:
            changes = {**(plan.counts or {}), **({"mend": len(plan.mended)} if plan.mended else {})}
            raise OpsError(f"there are changes: {changes}", code=3)


def _checked(backtest: str) -> bool:
    """Whether there is an address. Raises OpsError (exit code 2) where it is none."""
    if backtest and not backtest.startswith(("http://", "https://")):
        raise OpsError("--backtest must be the address of a Prometheus, such as http://127.0.0.1:9090", code=2)
    return bool(backtest)


def _seconds(window: str) -> float:
    from config.durations import seconds

    try:
        return seconds(window)
    except ValueError as error:
        raise OpsError(f"--window {error}", code=2) from None


def _told(plan: "Plan", format: Format, artifact: Path | None) -> str:
    """The plan as it was asked for, within the limits of that."""
    if format != Format.MARKDOWN:
        return _whole(plan, format)
    from ops.plan.markdown import markdown

    where = f"is in {artifact.name}" if artifact else f"is printed by: ops preview --stack {plan.stack}"
    return markdown(plan, elsewhere=where)


def _whole(plan: "Plan", format: Format) -> str:
    """The plan as it was asked for, all of it."""
    if format == Format.JSON:
        from ops.plan.as_json import as_json

        return as_json(plan)
    if format == Format.MARKDOWN:
        from ops.plan.markdown import markdown

        return markdown(plan, limit=None)
    from ops.plan.text import text

    return text(plan)


def _failed(stack: str, message: str, format: Format) -> str:
    """What takes the plan's place where there is none."""
    if format == Format.MARKDOWN:
        from ops.plan.markdown import failure

        return failure(stack, message)
    if format == Format.JSON:
        from ops.plan.as_json import failure as failed

        return failed(stack, message)
    return f"{stack}: the preview failed\n{message}\n"


def _write(text: str, file: Path | None) -> None:
    if file:
        file.write_text(text)
    else:
        typer.echo(text, nl=False)
