"""The data sources: what the panels refer to, and what `components/grafana_content.py` creates."""

from grafana_foundation_sdk.models.common import DataSourceRef

FOLDER = "monitoring"

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
LOKI = DataSourceRef(type_val="loki", uid="loki")
ALERTMANAGER = DataSourceRef(type_val="alertmanager", uid="alertmanager")
# Grafana's own, which keeps the marks of deployments.
GRAFANA = DataSourceRef(type_val="grafana", uid="-- Grafana --")

# uid -> the name that people see. It tells ours from others in a Grafana that a team already has.
NAMES = {
    "prometheus": "Prometheus (monitoring)",
    "loki": "Loki (monitoring)",
    "alertmanager": "Alertmanager (monitoring)",
}


def deployment_tags(stack: str) -> list[str]:
    """The tags by which dashboards find the marks of this stack's deployments."""
    return ["deployment", f"stack:{stack}"]
