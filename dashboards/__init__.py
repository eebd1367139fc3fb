"""Grafana's dashboards, as code: five pages, written with a small vocabulary of panels."""

import json
import warnings
from typing import Any

from config.settings import Settings

with warnings.catch_warnings():
    # The SDK would rather write dashboards of schema v2, which only Grafana 13 reads through the provider.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    from dashboards.api_gateway import api_gateway
    from dashboards.business_metrics import business_metrics
    from dashboards.database import database
    from dashboards.panels.limits import Limits
    from dashboards.system_overview import system_overview
    from dashboards.websocket import websocket

HOME = "system-overview"


def build(settings: Settings) -> dict[str, str]:
    """Uid -> JSON of every dashboard: the same text from the same settings.

    The JSON has no `id` and no `version`, which are Grafana's to give, and its keys are sorted.
    """
    at = Limits(settings.thresholds)
    pages = [make(settings, at) for make in (system_overview, database, websocket, api_gateway, business_metrics)]
    return {str(page.uid): _canonical(json.loads(JSONEncoder().encode(page))) for page in pages}


def _canonical(dashboard: dict[str, Any]) -> str:
    for key in ("id", "version"):
        dashboard.pop(key, None)
    for panel in dashboard["panels"]:
        panel.pop("id", None)
    # The SDK would put these into a menu, where nobody in a hurry looks.
    for shown in dashboard["links"] + dashboard["annotations"]["list"]:
        shown.pop("placement")
    return json.dumps(dashboard, sort_keys=True, separators=(",", ":"))
