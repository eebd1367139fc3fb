"""How fast the error budget of an objective is spent; drawn alike for the API and the WebSocket server."""

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.panels.limits import Limit
from dashboards.panels.series import series

# The burn rate of the fast burn-rate alerts: at 14.4, 2 % of the budget of 30 days goes in one hour.
PAGE_BURN = 14.4

_WINDOWS = {"5 min": "5m", "1 hour": "1h", "6 hours": "6h", "3 days": "3d"}


def error_budget(what: str, ratio: str, objective: str) -> Panel:
    """Burn rates over several windows.

    Takes `what` failed (for people), `ratio`, the recorded error ratio up to its window (`job:…:ratio_rate`), and
    `objective`, the key of the objective's threshold.
    """
    return series(
        "Error budget burn rate",
        f"How many times faster than allowed {what} fail. At 1 the budget of 30 days is spent in 30 days, "
        f"at {PAGE_BURN} in two; an alert fires when 1 hour and 5 min are both above the line.",
        "short",
        {title: f"{ratio}{window} / (1 - scalar(threshold:{objective}))" for title, window in _WINDOWS.items()},
        Limit(PAGE_BURN, "above"),
    )
