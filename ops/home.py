"""Where `ops` keeps things outside of the work tree."""

import os
from pathlib import Path

from lab.cache import directory
from ops.errors import OpsError


def home() -> Path:
    """State, passphrase and stack files: $MONITORING_HOME, else ~/.local/share/monitoring. Not to be lost.

    Raises OpsError (exit code 2) where neither that variable nor a home directory is known.
    """
    found = directory("MONITORING_HOME", "XDG_DATA_HOME", ".local/share")
    if found is None:
        raise OpsError("HOME is not set; set it, or MONITORING_HOME to a directory for state and secrets", 2)
    return found


def ready_home() -> Path:
    """The same, made where it is not there. Raises OpsError (exit code 2) where it cannot be read and written."""
    path = home()
    try:
        path.mkdir(parents=True, exist_ok=True)
        problem = "" if os.access(path, os.R_OK | os.W_OK | os.X_OK) else "this user may not read and write it"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise OpsError(
            f"state and secrets cannot be kept in {path}: {problem}; "
            "make it a directory of this user, or set MONITORING_HOME to one",
            code=2,
        )
    return path
