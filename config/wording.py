"""What a person is told of a key that is wrong: which, what it is, what it must be, and the way out."""

import difflib
from collections.abc import Iterable

from pydantic import ValidationError

from config.keys import secret_keys
from config.project import PROJECT
from config.way_out import remove_with, set_with

CONFIGURATION = "Pulumi configuration"
"""Where a value comes from that is no environment variable's."""
# Characters of a wrong value that a message shows.
_SHOWN = 60


def shortened(value: object, *, quoted: bool = True) -> str:
    """The value as a message shows it: quoted, and cut where it is long."""
    text = repr(value) if quoted else str(value)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}… ({len(str(value)):,} characters)"


def in_words(error: ValidationError) -> str:
    """What is wrong with an entry of a file of ours, each thing with its path; on one line."""
    return "; ".join(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors())


def malformed(path: Iterable[int | str], value: object, message: str, origin: str) -> str:
    """What lies at `path` (a key, and what leads on below it) has this `value`, which `message` says is wrong.

    `origin` says where the value comes from: CONFIGURATION, or which environment variable. A secret is not shown.
    """
    key, *rest = path
    shown = "(a secret)" if key in secret_keys() else shortened(value)
    full = f"{PROJECT}:{key}" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    if origin == CONFIGURATION:
        way_out = f"change it with: {set_with(full.removeprefix(f'{PROJECT}:'), secret=key in secret_keys())}"
    else:
        way_out = f"change it there, or set {full} in the Pulumi configuration"
    return f"{full} is {shown} (from {origin}): {message}; {way_out}"


def unknown(path: str, known: Iterable[str], listed: str) -> str:
    """`path` ends with a name that is none of `known`; `listed` says which there are."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(path.rpartition(".")[2].lower(), names, n=2)
    suggestion = f"did you mean {' or '.join(names[name] for name in close)}? " if close else ""
    path = shortened(path, quoted=False)
    return (
        f"{PROJECT}:{path} is not a key that this project knows; {suggestion}{listed}; "
        f"remove it with: {remove_with(path)}"
    )


def unknown_in(key: str, given: Iterable[str], known: Iterable[str], listed: str) -> list[str]:
    """A line for each name below `key` that is none of `known`."""
    return [unknown(f"{key}.{name}", known, listed) for name in sorted(set(given) - set(known))]
