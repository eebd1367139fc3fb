"""What Alertmanager has."""

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.sources import ALERTMANAGER, NAMES


def alert_groups(title: str, description: str) -> Panel:
    """What Alertmanager has to send, in its groups."""
    return Panel(
        type_val="alertGroups",
        title=title,
        description=description,
        datasource=ALERTMANAGER,
        # Alertmanager is asked by name, and not with a query.
        options={"alertmanager": NAMES["alertmanager"], "labels": "", "expandAll": False},
    )
