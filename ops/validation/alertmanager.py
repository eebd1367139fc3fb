"""Alertmanager: its configuration is ours, its receivers are there, alerts arrive."""

from collections.abc import Iterator

import docker

from config.alertmanager import warnings
from config.settings import Settings
from ops.validation.check import Check, get


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    url = settings.alertmanager_url
    metrics = get(f"{url}/metrics").text
    loaded = "alertmanager_config_last_reload_successful 1\n" in metrics
    yield Check.of("configuration loaded", loaded, "last reload")
    receivers = {receiver["name"] for receiver in get(f"{url}/api/v2/receivers").json()}
    yield Check.of("receivers", receivers >= {"P1", "P2", "P3", "heartbeat"}, ", ".join(sorted(receivers)))
    for warning in warnings(settings):
        yield Check.skip("receiver", warning)
    alerts = {alert["labels"]["alertname"] for alert in get(f"{url}/api/v2/alerts").json()}
    yield Check.of("Watchdog arrives", "Watchdog" in alerts, "from Prometheus")
