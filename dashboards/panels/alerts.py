"""Alert rules as Prometheus and Loki judge them."""

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.sources import ALERTMANAGER

# How Grafana's panel sorts: 5 is the newest first (`SortOrder` in its public/app/plugins/panel/alertlist/types.ts).
_NEWEST_FIRST = 5


def firing_rules(title: str, description: str, matcher: str) -> Panel:
    """The rules that fire, of Prometheus and of Loki; `matcher`, such as `{priority=~"P.+"}`, chooses among them.

    Grafana asks both for their rules by itself: the panel has no query. The SDK has no builder for it; its options are
    `UnifiedAlertListOptions` in Grafana's public/app/plugins/panel/alertlist/types.ts.
    """
    return Panel(
        type_val="alertlist",
        title=title,
        description=description,
        datasource=ALERTMANAGER,
        options={
            "alertInstanceLabelFilter": matcher,
            "alertName": "",
            "dashboardAlerts": False,
            "groupBy": [],
            "groupMode": "default",
            "maxItems": 20,
            "showInactiveAlerts": False,
            "showInstances": False,
            "sortOrder": _NEWEST_FIRST,
            "stateFilter": {
                "error": False,
                "firing": True,
                "noData": False,
                "normal": False,
                "pending": False,
                "recovering": False,
            },
            "viewMode": "list",
        },
    )
