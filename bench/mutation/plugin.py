"""A plugin of pytest that makes one change to the routes or the inhibitions of every stack that the tests configure."""

import json
import os
from typing import Any

import config.alertmanager as made
from bench.mutation.routing import VARIABLE, changed_inhibitions, changed_route
from config.settings import Settings


def pytest_configure() -> None:
    """Make the change that the environment names, in place of what the configuration is made with."""
    change = json.loads(os.environ[VARIABLE])
    if "place" not in change:  # nothing is to be changed: do the cases pass at all?
        return
    routes, inhibitions = made.route, made.inhibitions

    def other_route(settings: Settings) -> dict[str, Any]:
        return changed_route(routes(settings), change)

    def other_inhibitions(settings: Settings) -> list[dict[str, Any]]:
        return changed_inhibitions(inhibitions(settings), change)

    if change["of"] == "routes":
        made.route = other_route  # type: ignore[attr-defined]
    else:
        made.inhibitions = other_inhibitions  # type: ignore[attr-defined]
