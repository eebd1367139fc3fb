"""Where things are kept outside of the work tree."""

import os
from pathlib import Path

from lab.errors import LabError


def cache() -> Path:
    """Toolchain and what images are built from: $MONITORING_CACHE, else ~/.cache/monitoring. Made again if lost.

    Raises LabError where neither that variable nor a home directory is known.
    """
    found = directory("MONITORING_CACHE", "XDG_CACHE_HOME", ".cache")
    if found is None:
        raise LabError("HOME is not set; set it, or MONITORING_CACHE to a directory for what is built")
    return found


def directory(variable: str, base: str, usual: str) -> Path | None:
    """The directory that `variable` names, else `monitoring` below the one that `base` names, else below ~/`usual`.

    `base` is a variable of the XDG Base Directory Specification. None where no home directory is known.
    """
    if given := os.environ.get(variable):
        return Path(given).absolute()
    above = os.environ.get(base)
    try:
        return (Path(above) if above else Path.home() / usual) / "monitoring"
    except RuntimeError:  # neither HOME nor an entry of this user in the system's list
        return None
