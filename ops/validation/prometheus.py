"""Prometheus: every target is up, every rule is loaded and evaluates, alerts reach Alertmanager."""

from collections.abc import Iterator

import docker
import yaml

from config.scrape import prometheus_files, scrape_jobs
from config.settings import Settings
from ops.validation.check import Check, get, query


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    url = settings.prometheus.url
    targets = get(f"{url}/api/v1/targets", state="active").json()["data"]["activeTargets"]
    for job in scrape_jobs(settings):
        mine = [target for target in targets if target["labels"]["job"] == job.name]
        down = [f"{target['labels']['instance']}: {target['lastError']}" for target in mine if target["health"] != "up"]
        found = f"{len(mine) - len(down)} of {len(job.targets)} targets up"
        yield Check.of(f"job {job.name}", len(mine) == len(job.targets) and not down, "; ".join([found, *down]))

    wanted = {
        rule.get("alert") or rule.get("record")
        for path, text in prometheus_files(settings).items()
        if path.startswith("rules/")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    }
    groups = get(f"{url}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    missing = sorted(wanted - {rule["name"] for rule in rules})
    yield Check.of("rules loaded", not missing, f"{len(rules)} rules" + (f"; missing: {missing}" if missing else ""))
    failing = [f"{rule['name']}: {rule.get('lastError', '')}" for rule in rules if rule["health"] == "err"]
    waiting = [rule["name"] for rule in rules if rule["health"] == "unknown"]
    detail = "; ".join(failing) or (f"not yet evaluated: {len(waiting)}" if waiting else f"{len(rules)} evaluated well")
    yield Check.of("rules evaluate", not failing and not waiting, detail)

    reloaded = query(url, "prometheus_config_last_reload_successful")
    yield Check.of("configuration loaded", bool(reloaded) and reloaded[0]["value"][1] == "1", "last reload")
    receivers = get(f"{url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    yield Check.of("alerts have a way out", bool(receivers), f"{len(receivers)} Alertmanager")
    watchdog = [alert for alert in get(f"{url}/api/v1/alerts").json()["data"]["alerts"] if _is_watchdog(alert)]
    yield Check.of("Watchdog fires", bool(watchdog), "it always must")


def _is_watchdog(alert: dict[str, dict[str, str]]) -> bool:
    return alert["labels"]["alertname"] == "Watchdog"
