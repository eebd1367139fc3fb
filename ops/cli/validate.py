"""`ops validate`, `ops smoke` and `ops doctor`: the stack that runs, its whole chain, and the machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.common import Override, Stack, clear_errors, open_session, overrides
from ops.cli.reports import JsonFile, JunitFile, hand_over, prepare
from ops.errors import OpsError
from ops.report import say

if TYPE_CHECKING:
    from ops.stack.session import Session

app = typer.Typer()


@app.command()
def validate(
    stack: Stack = "dev",
    config: Override = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait until everything passes.")] = 0,
    json_file: JsonFile = None,
    junit_file: JunitFile = None,
) -> None:
    """Check the running stack; exit code 1 when anything fails.

    Seven categories look at the services, what they say of themselves, and what they have of each other; an eighth at
    the ground they stand on: engine, networks, volumes, limits, images, secrets, certificates, clock, disk.

    Example: ops validate --stack prod --junit report.xml
    """
    with clear_errors():
        prepare(json_file)
        check(open_session(stack, config), wait, json_file, junit_file)


@app.command()
def smoke(
    stack: Stack = "dev",
    config: Override = None,
    json_file: JsonFile = None,
    junit_file: JunitFile = None,
) -> None:
    """Send ten things through the running stack, and see each arrive; exit code 1 when one does not.

    Takes about a minute. Harmless, for prod as well: everything comes from a container of the test's own, is routed to
    that container alone, so that nobody is told, and is removed afterwards.

    Example: ops smoke --stack prod
    """
    with clear_errors():
        prepare(json_file)
        from ops.validation.smoke import smoke as run

        session = open_session(stack, config)
        report = run(session.deployed, session.engine, say)
        hand_over(report, "smoke", json_file, junit_file)
        if report.count("fail"):
            raise OpsError(f"{report.count('fail')} smoke tests of stack {session.name} failed")


@app.command()
def doctor(
    stack: Stack = "dev",
    config: Override = None,
    json_file: JsonFile = None,
    junit_file: JunitFile = None,
) -> None:
    """Say what this machine lacks for the stack, and how to get it; changes nothing.

    Exit code 1 when something would make `ops up` fail; what is only to look at is a warning. `make up` runs it when
    something fails.

    Example: ops doctor --stack prod --json -
    """
    with clear_errors():
        prepare(json_file)
        from ops.doctor import doctor as run

        report = run(stack, overrides(config))
        hand_over(report, "doctor", json_file, junit_file)
        if failed := report.count("fail"):
            raise OpsError(f"{failed} {'thing' if failed == 1 else 'things'} would make `ops up` fail")


def check(session: "Session", wait: float, json_file: Path | None, junit_file: Path | None = None) -> None:
    """Check the stack, show the report, write it to the files given; raises OpsError when anything fails.

    Checks again what did not pass until `wait` seconds are over.
    """
    from ops import validation

    report = validation.validate(session.deployed, session.engine, wait, say)
    hand_over(report, "validate", json_file, junit_file)
    if report.count("fail"):
        raise OpsError(f"{report.count('fail')} checks of stack {session.name} failed")
