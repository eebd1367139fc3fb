"""Where `ops` keeps things outside of the work tree."""

import os
from pathlib import Path


def home() -> Path:
    """State, passphrase and stack files: $MONITORING_HOME, else ~/.local/share/monitoring. Not to be lost."""
    default = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local/share")) / "monitoring"
    return Path(os.environ.get("MONITORING_HOME", default))
