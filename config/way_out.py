"""The commands that messages give as the way out: Pulumi's own, or `ops config` where `ops` runs the program."""

import shlex
from collections.abc import Iterable
from contextvars import ContextVar

from config.project import PROJECT

ops_stack: ContextVar[str] = ContextVar("ops_stack", default="")
"""The stack that `ops` runs a command on; empty with plain Pulumi, which has its own way to choose a stack."""

_NAMESPACE = f"{PROJECT}:"


def set_with(key: str, value: str = "VALUE", *, secret: bool = False) -> str:
    """The command that sets `key` (camelCase, or a path such as `memory.loki`) to `value`.

    With an empty `value` the command asks for it, so that a secret is in no shell's history.
    """
    return _command("set", key, ["--secret"] if secret else [], value)


def make_with(keys: Iterable[str]) -> str:
    """The one command of Pulumi's that sets each of `keys` to a secret of its own; `ops` makes such secrets itself."""
    pairs = " ".join(f"--secret {_NAMESPACE}{key}=$(openssl rand -hex 24)" for key in keys)
    return f"pulumi config set-all {pairs}"


def remove_with(key: str) -> str:
    """The command that removes `key`."""
    return _command("rm", key, [], "")


def _command(verb: str, key: str, options: list[str], value: str) -> str:
    stack = ops_stack.get()
    words = [verb, *options, shlex.quote(key), value] if stack else _pulumis(verb, key, options, value)
    tool = "ops" if stack else "pulumi"
    return " ".join([tool, "config", *(word for word in words if word), *(["--stack", stack] if stack else [])])


def _pulumis(verb: str, key: str, options: list[str], value: str) -> list[str]:
    path = ["--path"] if "." in key or "[" in key else []
    return [verb, *options, *path, shlex.quote(_NAMESPACE + key), value]
