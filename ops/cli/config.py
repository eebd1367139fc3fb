"""`ops config`: a stack's keys, read and written where the repository keeps them."""

import sys
from typing import Annotated

import typer

from ops.cli.common import Stack, clear_errors, open_session
from ops.report import console, success

app = typer.Typer(help="The stack's configuration.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="A key of Pulumi.yaml, or a path below one, such as memory.loki.")]
ShowSecrets = Annotated[bool, typer.Option(help="Print secrets, too.")]
_HIDDEN = "(a secret)"


@app.command("set")
def set_key(
    key: Key,
    value: Annotated[str | None, typer.Argument(help="Asked for, or read from standard input, when not given.")] = None,
    stack: Stack = "dev",
    secret: Annotated[bool, typer.Option("--secret", help="Encrypt it, as keys that are secrets always are.")] = False,
) -> None:
    """Set KEY in the repository's file of the stack.

    Example: ops config set memory.loki 2048 --stack prod
    """
    with clear_errors():
        from ops.stack.configuration import change

        workspace = open_session(stack, create=True).workspace
        if value is None:
            value = typer.prompt(key, hide_input=True) if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
        file = change(workspace, _plain(key), value, secret=secret)
        success(f"{_plain(key)} is set in {file.name}; it takes effect with: ops up --stack {stack}")


@app.command("rm")
def remove_key(key: Key, stack: Stack = "dev") -> None:
    """Remove KEY from the repository's file of the stack.

    Example: ops config rm memory.loki --stack prod
    """
    with clear_errors():
        from ops.stack.configuration import remove

        file = remove(open_session(stack, create=True).workspace, _plain(key))
        success(f"{_plain(key)} is removed from {file.name}; it takes effect with: ops up --stack {stack}")


@app.command("get")
def get_key(key: Key, stack: Stack = "dev", show_secrets: ShowSecrets = False) -> None:
    """Print the value of KEY.

    Example: ops config get thresholds.cpu_usage:ratio --stack prod
    """
    with clear_errors():
        from ops.stack.configuration import entry

        found = entry(open_session(stack, create=True).workspace, _plain(key))
        hidden = found.secret and found.value and not show_secrets
        console.print(_HIDDEN if hidden else found.value, markup=False)


@app.command("list")
def list_keys(stack: Stack = "dev", show_secrets: ShowSecrets = False) -> None:
    """Print every key, its value, and where that comes from.

    Example: ops config list --stack prod
    """
    with clear_errors():
        from ops.stack.configuration import entries

        for found in entries(open_session(stack, create=True).workspace):
            value = _HIDDEN if found.secret and found.value and not show_secrets else found.value
            console.print(f"{found.key:<24} {value:<40} {found.source}", markup=False)


def _plain(key: str) -> str:
    return key.removeprefix("monitoring:")
