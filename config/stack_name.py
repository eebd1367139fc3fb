"""How a stack may be called."""

import re

from config.errors import SettingsError
from config.wording import shortened

# Docker's rule for container names, kept short enough for the longest service name and for Pulumi's stack names.
_STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
EPHEMERAL = re.compile(r"pr-(\d+)")
"""The name of a pull request's stack, which lives as long as it does."""


def check_stack_name(stack: str) -> None:
    """Raise SettingsError where `stack` cannot become part of the names of containers."""
    if not _STACK_NAME.fullmatch(stack):
        raise SettingsError(
            f"stack name {shortened(stack)} cannot become part of a container name: "
            "use at most 40 of a-z, 0-9, '-' and '_', starting with a letter or digit, such as dev, prod or pr-12"
        )
