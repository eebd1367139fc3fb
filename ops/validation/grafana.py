"""Grafana: the data sources answer, the dashboards are there."""

from collections.abc import Iterator

import docker
import httpx

from config.settings import Grafana, Settings
from ops.validation.check import Check, answers, get

NEEDS = ("grafana",)
"""What these checks cannot be judged without."""
ABSENT = "this stack has no Grafana (grafanaMode is none, or its image cannot be had)"
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
        yield Check.skip("grafana", ABSENT)
        return
    auth = credentials(grafana)
    mend = f"ops up --stack {settings.stack} puts back what somebody changed in Grafana"
    for uid, path in DATA_SOURCES.items():
        yield answers(
            f"data source {uid} answers",
            f"{grafana.url}/api/datasources/proxy/uid/{uid}/{path}",
            auth,
            expected=f"{uid} answers through Grafana",
            hint=mend,
            about=f"data source {uid}",
            needs=(*NEEDS, uid),
        )
    for uid in DASHBOARDS:
        title = _title(grafana.url, uid, auth)
        yield Check.of(
            f"dashboard {uid}", bool(title), title or "not there", expected="it is there", hint=mend, needs=NEEDS
        )


def credentials(grafana: Grafana) -> tuple[str, str]:
    """The user and the password, or the token, by which Grafana is asked."""
    password = grafana.token or grafana.admin_password
    assert password, "config.settings refuses a Grafana without"
    return ("api_key" if grafana.token else grafana.admin_user, password.get_secret_value())


def _title(url: str, uid: str, auth: tuple[str, str]) -> str:
    """The title of a dashboard; empty where Grafana has none of that uid."""
    try:
        return str(get(f"{url}/api/dashboards/uid/{uid}", auth).json()["dashboard"]["title"])
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return ""
        raise
