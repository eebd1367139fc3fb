"""What went wrong, said once and clearly."""

import errno
from pathlib import Path

# What is wrong with this machine and not with the program -> the way out.
_WAYS_OUT = {
    errno.ENOSPC: "free some room there",
    errno.EDQUOT: "free some room there",
    errno.EROFS: "it is read-only: make it writable",
    errno.EACCES: "make it readable and writable for this user",
    errno.EPERM: "make it readable and writable for this user",
    errno.ENOTDIR: "a part of it is a file and must be a directory",
    errno.EEXIST: "it is a file and must be a directory",
    errno.EISDIR: "it is a directory and must be a file",
    errno.ENAMETOOLONG: "choose a shorter one",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "this machine has too many open files",
    errno.EIO: "look after the disk",
}


class OpsError(Exception):
    """Stops a command: the message says what is wrong and the way out. `code` is the exit code (2: bad input)."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def explain_path(error: OSError, cache: Path) -> str:
    """A path that cannot be read or written, as one message with the way out; empty where the fault is the program's.

    `cache` is where what is built and downloaded is kept.
    """
    path = error.filename or ""
    if error.errno == errno.ENOENT and Path(path).is_relative_to(cache):
        way_out = "make it a directory of this user"
    elif error.errno in _WAYS_OUT:
        way_out = _WAYS_OUT[error.errno]
    else:
        return ""
    return (
        f"cannot read or write {path or 'a file'}: {error.strerror}; {way_out} "
        "(MONITORING_HOME and MONITORING_CACHE say where state, and what is built, are kept)"
    )


def explain_engine(error: Exception) -> str:
    """What the Docker engine did not do, as one message with the way out; empty where the fault is another's."""
    # Imported here: a command that fails has loaded it by then, and one that only helps need not.
    from requests import ConnectionError as Disconnected
    from requests import HTTPError, Timeout

    if isinstance(error, Timeout):
        return f"the Docker engine does not answer in time: {error}; see what it is busy with, then run this again"
    if isinstance(error, Disconnected):
        return f"the Docker engine is gone: {error}; start it, then run this again"
    if isinstance(error, HTTPError):  # as docker.errors.APIError is
        return f"the Docker engine refused: {error}"
    return ""
