"""Grafana: the data sources answer, the dashboards are there."""

from collections.abc import Iterator

import docker

from config.settings import Settings
from ops.validation.check import Check, answers, get

# Data source -> a path that it answers. Through Grafana's proxy, as its own health check knows no Alertmanager.
DATA_SOURCES = {
    "prometheus": "api/v1/status/buildinfo",
    "loki": "loki/api/v1/labels",
    "alertmanager": "api/v2/status",
}
DASHBOARDS = ("system-overview", "database", "websocket", "api-gateway", "business-metrics")


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    grafana = settings.grafana
    if grafana.mode == "none":
        yield Check.skip("grafana", "this stack has no Grafana (grafanaMode is none, or its image cannot be had)")
        return
    password = grafana.token or grafana.admin_password
    assert password, "config.settings refuses a Grafana without"
    auth = ("api_key" if grafana.token else grafana.admin_user, password.get_secret_value())
    for uid, path in DATA_SOURCES.items():
        yield answers(f"data source {uid} answers", f"{grafana.url}/api/datasources/proxy/uid/{uid}/{path}", auth)
    for uid in DASHBOARDS:
        title = get(f"{grafana.url}/api/dashboards/uid/{uid}", auth).json()["dashboard"]["title"]
        yield Check.of(f"dashboard {uid}", bool(title), title)
