"""What the commands share: their options, the session they open, and how a known failure ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from images.errors import ImageError
from ops.errors import OpsError
from ops.report import fail

if TYPE_CHECKING:
    from ops.stack.session import Session

Stack = Annotated[str, typer.Option("--stack", "-s", envvar="STACK", help="dev, prod, pr-<n>, or one of your own.")]
Override = Annotated[
    list[str] | None, typer.Option("--config", "-c", help="KEY=VALUE over the stack's configuration, for this command.")
]


def open_session(stack: str, config: list[str] | None = None, *, create: bool = False) -> "Session":
    """The session of a command; raises OpsError (exit code 2) for a malformed KEY=VALUE in `config`."""
    overrides = {}
    for pair in config or []:
        key, separator, value = pair.partition("=")
        if not separator:
            from config.values import shortened

            raise OpsError(f"--config {shortened(pair)} must be KEY=VALUE, such as grafanaPort=3001", code=2)
        overrides[key.removeprefix("monitoring:")] = value
    # Imported here, as it loads Pulumi: `ops --help` need not wait for that.
    from ops.stack.session import Session

    return Session(stack, overrides, create)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Every known failure as its one message and exit code, without a traceback."""
    try:
        yield
    except (OpsError, ImageError) as error:
        fail(str(error))
        sys.stdout.flush()
        raise typer.Exit(getattr(error, "code", 1)) from None
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to go on")
        raise typer.Exit(130) from None
