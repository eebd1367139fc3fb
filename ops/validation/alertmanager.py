"""Alertmanager: its configuration is ours, its receivers are there, alerts arrive."""

from collections.abc import Iterator, Mapping

import docker

from config.alerting_keys import OWN_RECEIVERS
from config.alertmanager import warnings
from config.settings import Settings
from ops.alerts.client import Client, Count, Way
from ops.validation.check import Check, get, query

# What failed within this time fails the check: as AlertmanagerNotificationsFailing, half of what was tried.
_LATELY = "10m"


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    url = settings.alertmanager_url
    metrics = get(f"{url}/metrics").text
    loaded = "alertmanager_config_last_reload_successful 1\n" in metrics
    yield Check.of("configuration loaded", loaded, "last reload")
    receivers = {receiver["name"] for receiver in get(f"{url}/api/v2/receivers").json()}
    yield Check.of("receivers", receivers >= set(OWN_RECEIVERS), ", ".join(sorted(receivers)))
    yield from deliveries(Client(url).counts(), _failing(settings.prometheus.url))
    for warning in warnings(settings):
        yield Check.skip("receiver", warning)
    alerts = {alert["labels"]["alertname"] for alert in get(f"{url}/api/v2/alerts").json()}
    yield Check.of("Watchdog arrives", "Watchdog" in alerts, "from Prometheus")


def deliveries(counts: Mapping[Way, Count], failing: Mapping[Way, float]) -> Iterator[Check]:
    """How the notifications of each way out went: `failing` is the share that failed lately."""
    for way, count in sorted(counts.items(), key=lambda pair: (pair[0].receiver, pair[0].integration)):
        share = failing.get(way, 0)
        detail = f"{count.requests} requests, {count.failed} failed; {share:.0%} in the last {_LATELY}"
        yield Check.of(f"notifications to {way.receiver} by {way.integration}", share < 0.5, detail)


def _failing(prometheus: str) -> dict[Way, float]:
    metric = "alertmanager_notification_requests"
    by = "sum by (receiver_name, integration)"
    expression = f"{by} (rate({metric}_failed_total[{_LATELY}])) / ({by} (rate({metric}_total[{_LATELY}])) > 0)"
    return {
        Way(found["metric"].get("receiver_name", ""), found["metric"]["integration"]): float(found["value"][1])
        for found in query(prometheus, expression)
    }
