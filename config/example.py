"""A stack that is never brought up, from which documentation, tests and tools are made."""

import os
from pathlib import Path

from config.necessary import required_secrets
from config.settings import Settings, load


def demo_settings(stack: str = "dev", **keys: str) -> Settings:
    """The settings of a stack with the demo backend, of defaults and `keys` (as text) alone; its secrets open nothing.

    Raises SettingsError with all that is wrong with `keys`.
    """
    secrets = dict.fromkeys(required_secrets("container"), "opens-nothing-and-has-32-bytes-or-more")
    return load(stack, {"demo": "true", **secrets, **keys}, environment={}, dotenv=Path(os.devnull))
