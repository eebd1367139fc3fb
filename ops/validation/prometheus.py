"""Prometheus: every target is up, every rule is loaded and evaluates, alerts reach Alertmanager."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import docker
import yaml

from config.durations import seconds
from config.prometheus import prometheus_files
from config.prometheus.jobs import scrape_jobs
from config.settings import Settings
from images.catalogue import tags
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
        for path, text in prometheus_files(settings, tags(settings)).items()
        if path.startswith("rules/")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    }
    groups = get(f"{url}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    missing = sorted(wanted - {rule["name"] for rule in rules})
    yield Check.of("rules loaded", not missing, f"{len(rules)} rules" + (f"; missing: {missing}" if missing else ""))
    age = _age(get(f"{url}/api/v1/status/runtimeinfo").json()["data"])
    yield from evaluation(groups, age, seconds(settings.prometheus.evaluation_interval))

    reloaded = query(url, "prometheus_config_last_reload_successful")
    yield Check.of("configuration loaded", bool(reloaded) and reloaded[0]["value"][1] == "1", "last reload")
    receivers = get(f"{url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    yield Check.of("alerts have a way out", len(receivers) == 1, f"{len(receivers)} of 1 Alertmanager")
    watchdog = [alert for alert in get(f"{url}/api/v1/alerts").json()["data"]["alerts"] if _is_watchdog(alert)]
    yield Check.of("Watchdog fires", bool(watchdog), "it always must")


def evaluation(groups: Iterable[Mapping[str, Any]], age: float, interval: float) -> Iterator[Check]:
    """How the rules of `groups` (as Prometheus lists them) evaluate, `age` seconds after it started.

    A group that is evaluated more seldom than each `interval` seconds may wait for its first turn. This is told and
    not waited for, so that `up` need not last as long as the longest interval.
    """
    failing = [
        f"{rule['name']}: {rule.get('lastError', '')}"
        for group in groups
        for rule in group["rules"]
        if rule["health"] == "err"
    ]
    waiting = [group for group in groups if any(rule["health"] == "unknown" for rule in group["rules"])]
    early = [group for group in waiting if group["interval"] > max(age, interval)]
    late = [f"{group['name']}: not evaluated in {age:.0f} s" for group in waiting if group not in early]
    count = sum(rule["health"] == "ok" for group in groups for rule in group["rules"])
    yield Check.of(
        "rules evaluate", not failing and not late, "; ".join([*failing, *late]) or f"{count} evaluated well"
    )
    for group in early:
        yield Check.skip(f"rules of {group['name']}", f"first evaluation within {group['interval'] - age:.0f} s")


def _age(runtime: dict[str, Any]) -> float:
    """Seconds since Prometheus started or last took a configuration, after which each group has its turn anew."""
    began = max(datetime.fromisoformat(runtime[key]) for key in ("startTime", "lastConfigTime"))
    now = datetime.fromisoformat(runtime["serverTime"])
    return (now - began).total_seconds()


def _is_watchdog(alert: dict[str, dict[str, str]]) -> bool:
    return alert["labels"]["alertname"] == "Watchdog"
