"""`ops history` and `ops rollback`: what was deployed, and the way back."""

import json
from typing import Annotated

import typer

from ops.cli.common import Stack, Yes, clear_errors, open_session
from ops.report import answer, leave_standard_output, show, success

app = typer.Typer()


@app.command()
def history(
    stack: Stack = "dev",
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON, with images and settings, without secrets.")
    ] = False,
    revision: Annotated[bool, typer.Option("--revision", help="Only the Git revision that is deployed.")] = False,
) -> None:
    """List the deployments of a stack, the newest first: when, which revision, and whether it validated.

    Example: ops history --stack prod
    """
    with clear_errors():
        from rich.table import Table

        from ops.deployments.record import deployed
        from ops.deployments.record import history as deployments_of

        if as_json or revision:
            leave_standard_output()
        found = deployments_of(open_session(stack).workspace.backend, stack)
        if revision:
            answer(deployed(found, stack).commit)
            return
        if as_json:
            answer(json.dumps([deployment.as_dict() for deployment in found], indent=2))
            return
        table = Table("time", "what", "revision", "result", "validation", box=None)
        for deployment in found:
            commit = str(deployment.program.revision) if deployment.program else "-"
            when = f"{deployment.began:%Y-%m-%d %H:%M:%S} UTC"
            table.add_row(when, deployment.kind, commit, deployment.result, deployment.validation or "-")
        show(table)


@app.command()
def rollback(
    stack: Stack = "dev",
    to: Annotated[str, typer.Option(help="The beginning of a revision that validated.")] = "",
    restored: Annotated[
        list[str] | None, typer.Option(help="An image key whose data from before was put back, such as grafana.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Bring the stack back to the last deployment that validated: that revision, with its settings.

    Example: ops rollback --stack prod
    """
    with clear_errors():
        from ops.cli.common import ask
        from ops.deployments import rollback as back
        from ops.deployments.record import history as deployments_of

        workspace = open_session(stack).workspace
        deployments = deployments_of(workspace.backend, stack, show_secrets=True)
        then = back.target(deployments, stack, to)
        now = next(deployment for deployment in deployments if deployment.kind == "update")
        back.check(now, then, stack, restored or [])
        revision = then.program.revision if then.program else ""
        if not yes:
            ask(f"Stack {stack} goes back to {revision}, deployed {then.began:%Y-%m-%d %H:%M} UTC.")
        back.roll_back(workspace, then, yes=True)
        success(f"{stack} runs {revision} again; the next `ops up` of a newer tree brings that back")
