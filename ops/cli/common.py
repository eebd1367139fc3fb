"""What the commands share: their options, the session they open, and how a known failure ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from config.way_out import ops_stack
from images.errors import ImageError
from lab.cache import cache
from lab.errors import LabError
from ops.errors import OpsError, explain_engine, explain_path
from ops.report import fail, say

if TYPE_CHECKING:
    from ops.stack.session import Session

Stack = Annotated[str, typer.Option("--stack", "-s", envvar="STACK", help="dev, prod, pr-<n>, or one of your own.")]
Override = Annotated[
    list[str] | None, typer.Option("--config", "-c", help="KEY=VALUE over the stack's configuration, for this command.")
]


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before what cannot be undone, for pipelines.")]


def open_session(stack: str, config: list[str] | None = None, *, create: bool = False, yes: bool = False) -> "Session":
    """The session of a command; raises OpsError (exit code 2) for a malformed KEY=VALUE in `config`.

    `yes`: what the session asks before something that cannot be undone is answered so.
    """
    ops_stack.set(stack)
    given = overrides(config)
    # Imported here, as it loads Pulumi: `ops --help` need not wait for that.
    from ops.stack.session import Session

    return Session(stack, given, create, _agreed if yes else ask)


def overrides(config: list[str] | None) -> dict[str, str]:
    """Key -> text of the options `--config KEY=VALUE`; raises OpsError (exit code 2) for one that is malformed."""
    found = {}
    for pair in config or []:
        key, separator, value = pair.partition("=")
        if not separator:
            from config.wording import shortened

            raise OpsError(f"--config {shortened(pair)} must be KEY=VALUE, such as grafanaPort=3001", code=2)
        found[key.removeprefix("monitoring:")] = value
    return found


def _agreed(what: str) -> None:
    """Tell what is done, as the person said so beforehand."""
    say(what)


def ask(what: str) -> None:
    """Ask the person at the terminal; raises OpsError where they say no, or where nobody is there."""
    if not sys.stdin.isatty():
        from ops.stack.takeover import refuse

        refuse(what)
    if not typer.confirm(f"{what} Go on?"):
        raise OpsError("nothing was changed")


@contextmanager
def clear_errors() -> Iterator[None]:
    """Every known failure as its one message and exit code, without a traceback."""
    token = ops_stack.set("")
    try:
        yield
    except (OpsError, ImageError, LabError) as error:
        fail(str(error))
        sys.stdout.flush()
        raise typer.Exit(getattr(error, "code", 1)) from None
    except OSError as error:
        if not (message := explain_path(error, cache()) or explain_engine(error)):
            raise
        fail(message)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to go on")
        raise typer.Exit(130) from None
    finally:
        ops_stack.reset(token)
