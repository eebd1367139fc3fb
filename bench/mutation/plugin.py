"""A plugin of pytest that makes one change to the routes or the inhibitions of every stack that the tests configure."""

import json
import os
import sys
from typing import Any

from bench.mutation.routing import VARIABLE, changed_inhibitions, changed_route
from config.alertmanager.routes import inhibitions, route
from config.settings import Settings


def pytest_configure() -> None:
    """Make the change that the environment names, in place of what the configuration is made with."""
    change = json.loads(os.environ[VARIABLE])
    if "place" not in change:  # nothing is to be changed: do the cases pass at all?
        return

    def other_route(settings: Settings) -> dict[str, Any]:
        return changed_route(route(settings), change)

    def other_inhibitions(settings: Settings) -> list[dict[str, Any]]:
        return changed_inhibitions(inhibitions(settings), change)

    # By its name: what the package takes from its modules is not for others.
    package = sys.modules["config.alertmanager"]
    if change["of"] == "routes":
        package.__dict__["route"] = other_route
    else:
        package.__dict__["inhibitions"] = other_inhibitions
