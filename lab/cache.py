"""Where what is built or downloaded is kept."""

import os
from pathlib import Path

from lab.errors import LabError


def cache() -> Path:
    """Toolchain and what images are built from: $MONITORING_CACHE, else ~/.cache/monitoring. Made again if lost.

    Raises LabError where neither that variable nor a home directory is known.
    """
    given = os.environ.get("MONITORING_CACHE")
    if given:
        return Path(given).absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(caches) if caches else Path.home() / ".cache") / "monitoring"
    except RuntimeError:  # neither HOME nor an entry of this user in the system's list
        raise LabError("HOME is not set; set it, or MONITORING_CACHE to a directory for what is built") from None
