"""Every alert of the rules finds its receivers; Alertmanager takes every combination of receivers."""

import itertools
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.alertmanager import DIRECTORY, alertmanager_files
from config.alertmanager.routes import OWN_ROUTE
from config.alertmanager.smoke import ALERTS, RECEIVER
from config.prometheus import prometheus_files
from config.prometheus.jobs import scrape_jobs
from config.settings import Settings
from tests.processes import alertmanager, fire, wait_for
from tests.routing.stacks import DEMO, KINDS, WATCHDOG, further, labels, settings, told
from tests.rules.reading import dev, rules_of
from tests.services import Authority, services

COMPONENTS = sorted({job.component for job in scrape_jobs(dev())})
MAIL = {"smtpHost": "smtp.example", "smtpFrom": "a@example.org", "smtpPassword": ""}
# Key -> what makes each of the stack's own receivers be there.
OWN = {
    "pagerduty": {"pagerdutyServiceKey": "key"},
    "slack": {"slackWebhookUrl": "https://slack.example/x"},
    "critical": {**MAIL, "alertEmailCritical": "a@example.org"},
    "high": {**MAIL, "alertEmailHigh": "a@example.org"},
    "heartbeat": {"heartbeatUrl": "https://heartbeat.example/x"},
}
WITHOUT = {"pagerdutyServiceKey": "", "slackWebhookUrl": "", "heartbeatUrl": "", "smtpPassword": ""}
NIGHT = {"name": "always", "times": ["00:00-24:00"]}


def every_alert() -> list[dict[str, str]]:
    """The labels of every alert that the rules can make: one whose component is its target's, with each of them."""
    found = []
    for rule in rules_of(prometheus_files(dev())):
        # Those of a smoke test have a test of their own.
        if rule.is_alert and rule.name not in ALERTS:
            own = rule.body["labels"]
            for component in [own["component"]] if "component" in own else COMPONENTS:
                found.append({"instance": "host:1", **own, "alertname": rule.name, "component": component})
    return [{**alert, "service": "x", "job": "y"} for alert in found]


def check(stack: Settings, directory: Path) -> None:
    """Have amtool check a stack's configuration."""
    for name, text in alertmanager_files(stack).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text.replace(DIRECTORY, str(directory)))
    command = ["amtool", "check-config", str(directory / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("more", [(), KINDS], ids=["own receivers", "and one of each further kind"])
def test_amtool_takes_every_combination_of_receivers(more: tuple[str, ...], tmp_path: Path) -> None:
    smtp = MAIL if more else {}
    for count in range(len(OWN) + 1):
        for chosen in itertools.combinations(OWN, count):
            keys = {key: value for name in chosen for key, value in OWN[name].items()}
            check(settings(DEMO, **{**WITHOUT, **smtp, **keys}, receivers=[further(kind) for kind in more]), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_amtool_takes_each_further_receiver_alone(kind: str, tmp_path: Path) -> None:
    muted = [
        {**NIGHT, "matchers": ['component="business"']},
        {"name": "weekend", "weekdays": ["saturday", "monday:friday"]},
    ]
    check(settings(DEMO, **MAIL, receivers=[further(kind)], muteTimes=muted), tmp_path)


def test_every_alert_has_the_receiver_of_its_priority_and_the_group_of_its_component(tmp_path: Path) -> None:
    alerts = every_alert()
    with alertmanager(settings(DEMO), tmp_path) as url:
        fire(url, *alerts)
        wait_for(lambda: len(httpx.get(f"{url}/api/v2/alerts").json()) == len(_distinct(alerts)))
        groups = httpx.get(f"{url}/api/v2/alerts/groups").json()
    # By name and priority: one alert may have two, such as ComponentEndOfSupport before and after the last day.
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group in groups:
        for alert in group["alerts"]:
            own = alert["labels"]
            told[own["alertname"], own["priority"]].add(group["receiver"]["name"])
            wanted = OWN_ROUTE.get(own["component"], ["alertname", "component", "instance"])
            assert group["labels"] == {name: own[name] for name in wanted}, own
    for own in alerts:
        by_mail = {f"{own['priority']}-email"} if own["priority"] in ("P1", "P2") else set()
        expected = {"heartbeat"} if own["alertname"] == "Watchdog" else {own["priority"], *by_mail}
        assert told[own["alertname"], own["priority"]] == expected, own


def _distinct(alerts: list[dict[str, str]]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(alert.items()) for alert in alerts}


def receivers_of(stack: Settings, directory: Path, *alerts: dict[str, str]) -> dict[str, set[str]]:
    """alertname -> the receivers that an Alertmanager with this configuration has for it."""
    with alertmanager(stack, directory) as url:
        fire(url, *alerts)
        wait_for(lambda: len(httpx.get(f"{url}/api/v2/alerts").json()) == len(alerts))
        found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts").json()
    return {one["labels"]["alertname"]: {receiver["name"] for receiver in one["receivers"]} for one in found}


def test_a_further_receiver_gets_what_its_matchers_hold_for_and_takes_it_from_nobody(tmp_path: Path) -> None:
    stack = settings(
        DEMO,
        receivers=[
            further("webhook", name="database", matchers=['component="database"']),
            further("webhook", name="urgent", matchers=['priority=~"P1|P2"', 'component!="redis"']),
            further("webhook", name="all"),
        ],
    )
    assert receivers_of(
        stack,
        tmp_path,
        labels("A", "P1", "database"),
        labels("B", "P3", "database"),
        labels("C", "P2", "redis"),
        labels("D", "P2", "business"),
        {"alertname": "Unranked"},
        WATCHDOG,
    ) == {
        "A": {"P1", "P1-email", "database", "urgent", "all"},
        "B": {"P3", "database", "all"},
        "C": {"P2", "P2-email", "all"},
        "D": {"P2", "P2-email", "urgent", "all"},
        "Unranked": {"P3", "all"},
        "Watchdog": {"heartbeat"},
    }


def test_a_smoke_test_tells_its_own_receiver_and_nobody_else(tmp_path: Path) -> None:
    everybody = [further("webhook", name="all"), further("webhook", name="monitoring", matchers=['component!=""'])]
    mute = [{**NIGHT, "priorities": ["P2", "P3"]}]
    alerts = [{**labels(name, "none", "monitoring"), "name": "monitoring-dev-smoke-1"} for name in ALERTS]
    found = receivers_of(settings(DEMO, receivers=everybody, muteTimes=mute), tmp_path, *alerts)
    assert found == {name: {RECEIVER} for name in ALERTS}


def test_a_mute_time_keeps_back_what_it_names_and_never_a_p1_or_the_heartbeat(tmp_path: Path) -> None:
    authority = Authority()
    with services(authority.server("127.0.0.1")) as channels:
        stack = told(
            channels,
            authority,
            muteTimes=[
                {**NIGHT, "priorities": ["P3"]},
                {**NIGHT, "name": "shop", "matchers": ['component="business"']},
            ],
        )
        with alertmanager(stack, tmp_path) as url:
            fire(
                url,
                labels("Paged", "P1", "business", instance="a"),
                labels("Muted", "P2", "business", instance="b"),
                labels("Told", "P2", "redis", instance="c"),
                labels("MutedToo", "P3", "database", instance="d"),
                WATCHDOG,
            )
            wait_for(lambda: len(channels.taken("/slack")) == 2 and channels.taken("/heartbeat"))
            muted = {
                one["labels"]["alertname"]: one["status"]["mutedBy"]
                for group in httpx.get(f"{url}/api/v2/alerts/groups").json()
                for one in group["alerts"]
            }
    assert muted == {"Paged": [], "Muted": ["shop"], "Told": [], "MutedToo": ["always"], "Watchdog": []}
    titles = " ".join(message["attachments"][0]["title"] for message in channels.taken("/slack"))
    assert "Paged" in titles
    assert "Told" in titles
