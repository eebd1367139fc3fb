"""Alertmanager: its configuration is ours, its receivers are there, alerts arrive."""

from collections.abc import Iterator, Mapping

import docker

from config.alerting_keys import OWN_RECEIVERS
from config.alertmanager import warnings
from config.alertmanager.smoke import RECEIVER
from config.settings import Settings
from ops.alerts.client import Client, Count, Way
from ops.validation.check import Check, get, query

NEEDS = ("alertmanager", "prometheus")
"""What these checks cannot be judged without."""
_RELOAD = "Alertmanager's configuration"
# What failed within this time fails the check: as AlertmanagerNotificationsFailing, half of what was tried.
_LATELY = "10m"


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    url = settings.alertmanager_url
    log = f"docker logs --tail 50 {settings.name('alertmanager')}"
    metrics = get(f"{url}/metrics").text
    loaded = "alertmanager_config_last_reload_successful 1\n" in metrics
    yield Check.of(
        "configuration loaded",
        loaded,
        "last reload",
        expected="alertmanager_config_last_reload_successful is 1",
        hint=f"the reason is in: {log}; ops up --stack {settings.stack} writes the files anew",
        about=_RELOAD,
        needs=("alertmanager",),
    )
    receivers = {receiver["name"] for receiver in get(f"{url}/api/v2/receivers").json()}
    missing = sorted({*OWN_RECEIVERS, *(further.name for further in settings.alerting.receivers)} - receivers)
    yield Check.of(
        "receivers",
        not missing,
        ", ".join(sorted(receivers)) + (f"; missing: {', '.join(missing)}" if missing else ""),
        expected="every receiver of the stack, and every one of the key receivers",
        hint=f"ops up --stack {settings.stack} writes alertmanager.yml and reloads it",
        about="the receivers",
        needs=("alertmanager", _RELOAD),
    )
    yield from deliveries(Client(url).counts(), _failing(settings.prometheus.url))
    for warning in warnings(settings):
        yield Check.skip("receiver", warning)
    alerts = {alert["labels"]["alertname"] for alert in get(f"{url}/api/v2/alerts").json()}
    yield Check.of(
        "Watchdog arrives",
        "Watchdog" in alerts,
        "from Prometheus",
        expected="Alertmanager has the alert Watchdog",
        hint="Prometheus fires it and it does not arrive: follow docs/runbooks/PrometheusNotConnectedToAlertmanager.md",
        about="Watchdog at Alertmanager",
        needs=(*NEEDS, "the way out", "Watchdog", "the rules", "Prometheus' configuration"),
    )


def deliveries(counts: Mapping[Way, Count], failing: Mapping[Way, float]) -> Iterator[Check]:
    """How the notifications of each way out went: `failing` is the share that failed lately."""
    for way, count in sorted(counts.items(), key=lambda pair: (pair[0].receiver, pair[0].integration)):
        if way.receiver == RECEIVER:
            continue  # no person's: the container of a smoke test, which is gone
        share = failing.get(way, 0)
        yield Check.of(
            f"notifications to {way.receiver} by {way.integration}",
            share < 0.5,
            f"{count.requests} requests, {count.failed} failed; {share:.0%} in the last {_LATELY}",
            expected=f"less than half of the requests of the last {_LATELY} failed",
            hint="ops alerts test says what the service answers; "
            "follow docs/runbooks/AlertmanagerNotificationsFailing.md",
            about=f"notifications by {way.integration}",
            needs=NEEDS,
        )


def _failing(prometheus: str) -> dict[Way, float]:
    metric = "alertmanager_notification_requests"
    by = "sum by (receiver_name, integration)"
    expression = f"{by} (rate({metric}_failed_total[{_LATELY}])) / ({by} (rate({metric}_total[{_LATELY}])) > 0)"
    return {
        Way(found["metric"].get("receiver_name", ""), found["metric"]["integration"]): float(found["value"][1])
        for found in query(prometheus, expression)
    }
