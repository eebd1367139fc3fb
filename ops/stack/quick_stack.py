"""Pulumi's stack as its Automation API has it, without the questions that nobody here asks.

Each question runs Pulumi's command line, which takes 0.2 to 0.6 s. A stack is selected when it is opened, which only
matters to a person who types `pulumi` without `--stack`; after an update its outputs are read twice and its history
once.
"""

from datetime import UTC, datetime

from pulumi.automation import OutputMap, Stack, UpdateSummary, Workspace
from pulumi.automation._stack import StackInitMode


class QuickStack(Stack):
    """The stack `name`, which must be there; `outputs` and `info` are empty, as an update is told by its events."""

    def __init__(self, name: str, workspace: Workspace) -> None:
        self.name = name
        self.workspace = workspace
        self._mode = StackInitMode.SELECT

    def outputs(self) -> OutputMap:
        """Nothing: the program knows its outputs, and so does the state."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """A summary that says nothing."""
        return UpdateSummary("", datetime.now(UTC), "", {}, {}, "")
