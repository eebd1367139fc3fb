"""Where what is built or downloaded is kept."""

import os
from pathlib import Path


def cache() -> Path:
    """Toolchain and what images are built from: $MONITORING_CACHE, else ~/.cache/monitoring. Made again if lost."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "monitoring"
    return Path(os.environ.get("MONITORING_CACHE", default))
