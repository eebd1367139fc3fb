"""Prometheus: every target is up, every rule is loaded and evaluates, alerts reach Alertmanager."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import docker
import yaml

from config.durations import seconds
from config.prometheus import prometheus_files
from config.prometheus.jobs import ScrapeJob, scrape_jobs
from config.settings import Settings
from images.catalogue import tags
from ops.validation.check import Check, get, query

NEEDS = ("prometheus",)
"""What these checks cannot be judged without."""
# What other checks need: see Check.about.
_RULES, _RELOAD = "the rules", "Prometheus' configuration"
# The demo's program speaks for these, under their names.
_SPOKEN_FOR = dict.fromkeys(("kong", "realtime", "websocket", "app"), "demo")


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    url = settings.prometheus.url
    yield from _reload(settings)
    targets = get(f"{url}/api/v1/targets", state="active").json()["data"]["activeTargets"]
    for job in scrape_jobs(settings):
        yield _up(job, [target for target in targets if target["labels"]["job"] == job.name], settings)
    groups = get(f"{url}/api/v1/rules").json()["data"]["groups"]
    yield _loaded(settings, groups)
    age = _age(get(f"{url}/api/v1/status/runtimeinfo").json()["data"])
    yield from evaluation(groups, age, seconds(settings.prometheus.evaluation_interval))

    receivers = get(f"{url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    yield Check.of(
        "alerts have a way out",
        len(receivers) == 1,
        f"{len(receivers)} of 1 Alertmanager",
        expected="Prometheus knows one Alertmanager",
        hint=f"ops up --stack {settings.stack} writes `alerting` of prometheus.yml anew",
        about="the way out",
        needs=(*NEEDS, _RELOAD),
    )
    watchdog = [alert for alert in get(f"{url}/api/v1/alerts").json()["data"]["alerts"] if _is_watchdog(alert)]
    yield Check.of(
        "Watchdog fires",
        bool(watchdog),
        "it always must",
        expected="the alert Watchdog fires",
        hint="follow docs/runbooks/Watchdog.md; trust no other alert before this one fires",
        about="Watchdog",
        needs=(*NEEDS, _RULES),
    )


def services_behind(job: ScrapeJob) -> tuple[str, ...]:
    """The services of the stack that answer for the targets of a job, and those that they speak for."""
    hosts = [name.rpartition(":")[0] for target in job.targets for name in (target.address, target.instance)]
    return tuple(_SPOKEN_FOR.get(host, host) for host in hosts)


def _reload(settings: Settings) -> Iterator[Check]:
    reloaded = query(settings.prometheus.url, "prometheus_config_last_reload_successful")
    yield Check.of(
        "configuration loaded",
        bool(reloaded) and reloaded[0]["value"][1] == "1",
        "last reload",
        expected="prometheus_config_last_reload_successful is 1",
        hint=f"the reason is in: docker logs --tail 50 {settings.name('prometheus')}; "
        f"ops up --stack {settings.stack} writes the files anew",
        about=_RELOAD,
        needs=NEEDS,
    )


def _up(job: ScrapeJob, targets: list[dict[str, Any]], settings: Settings) -> Check:
    down = [f"{target['labels']['instance']}: {target['lastError']}" for target in targets if target["health"] != "up"]
    found = f"{len(targets) - len(down)} of {len(job.targets)} targets up"
    return Check.of(
        f"job {job.name}",
        len(targets) == len(job.targets) and not down,
        "; ".join([found, *down]),
        expected=f"every target of {', '.join(target.address for target in job.targets)} answers",
        hint="the reason is beside the target; follow docs/runbooks/ServiceDown.md; what lost its network is "
        f"connected again by: ops up --stack {settings.stack}",
        about=f"job {job.name}",
        needs=(*NEEDS, _RELOAD, *services_behind(job)),
    )


def _loaded(settings: Settings, groups: Iterable[Mapping[str, Any]]) -> Check:
    wanted = {
        rule.get("alert") or rule.get("record")
        for path, text in prometheus_files(settings, tags(settings)).items()
        if path.startswith("rules/")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    }
    rules = [rule["name"] for group in groups for rule in group["rules"]]
    missing = sorted(wanted - set(rules))
    return Check.of(
        "rules loaded",
        not missing,
        f"{len(rules)} rules" + (f"; missing: {missing}" if missing else ""),
        expected=f"all {len(wanted)} rules of config/prometheus/rules, and what is made from the settings",
        hint=f"ops up --stack {settings.stack} writes the rules and reloads them",
        about=_RULES,
        needs=(*NEEDS, _RELOAD),
    )


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
        "rules evaluate",
        not failing and not late,
        "; ".join([*failing, *late]) or f"{count} evaluated well",
        expected="every rule was evaluated, without an error",
        hint="mend the rule that is named; follow docs/runbooks/PrometheusRuleFailures.md",
        about=_RULES,
        needs=NEEDS,
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
