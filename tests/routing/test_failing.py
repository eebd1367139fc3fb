"""Receivers that fail, and an Alertmanager that is killed: nobody else waits, nothing is lost, nothing comes twice."""

import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import Settings
from tests.processes import Process, alertmanager_process, fire, prometheus_process, unused_port, wait_for
from tests.routing.stacks import WATCHDOG, labels, told
from tests.services import Answer, Authority, Mailbox, Services, services

CONNECTIONS = labels("PostgreSQLTooManyConnections", "P1", "database", instance="postgres:5432")
# The next turn of a group comes that soon; in a stack it is after one, five or ten minutes.
PACE = {"group_interval": "2s"}
# Seconds in which a receiver that does not fail must have its message while another one does.
SOON = 8
MAIL: dict[str, Any] = {"smtpPassword": "", "alertEmailCritical": "oncall@example.org"}
FAILURES = {
    "500": Answer(500, "broken"),
    "429": Answer(429, "slow down", {"Retry-After": "1"}),
    "400": Answer(400, '{"status": "invalid event", "message": "malformed", "errors": ["no"]}'),
    "403": Answer(403, "no_service"),
    "no answer": Answer(delay=14),
}


def counted(url: str, metric: str, **wanted: str) -> float:
    """The sum of a counter's series that have these labels, as Alertmanager serves it."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    parts = [f'{name}="{value}"' for name, value in wanted.items()]
    mine = [line for line in lines if line.startswith(f"{metric}{{") and all(part in line for part in parts)]
    assert mine, f"no {metric} with {wanted}"
    return sum(float(line.rpartition(" ")[2]) for line in mine)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("path", ["/slack", "/pagerduty"])
def test_a_receiver_that_fails_delays_no_other_and_has_everything_once_it_is_back(
    path: str, failure: str, channels: Services, authority: Authority, box: Mailbox, tmp_path: Path
) -> None:
    (other,) = {"/slack", "/pagerduty"} - {path}
    channels.answers[path] = lambda: FAILURES[failure]
    with alertmanager_process(told(channels, authority, box), tmp_path, PACE) as process:
        began = time.monotonic()
        fire(process.url, CONNECTIONS)
        wait_for(lambda: channels.taken(other) and box.messages, patience=SOON)
        assert time.monotonic() - began < SOON
        integration = path.removeprefix("/")
        failed = "alertmanager_notification_requests_failed_total"
        # Tried again, and counted. What is given up at once has another try at the group's next turn.
        wait_for(lambda: counted(process.url, failed, integration=integration, receiver_name="P1") >= 2, patience=60)
        channels.answers.clear()
        wait_for(lambda: channels.taken(path), patience=40)
        # Two more turns: it was told once, and nobody was told again.
        time.sleep(6)
        # What was answered too late was taken none the less: the service has it twice then, under the same key.
        assert len(channels.taken(path)) == 1 or failure == "no answer"
        assert len(channels.taken(other)) == 1
        assert len(box.messages) == 1


@pytest.mark.parametrize("kind", ["refused", "wrong certificate"])
def test_a_receiver_that_cannot_be_spoken_to_delays_no_other(
    kind: str, channels: Services, authority: Authority, box: Mailbox, tmp_path: Path
) -> None:
    stranger = Authority()
    with services(stranger.server("127.0.0.1")) as false_one:
        port = unused_port()
        address = f"https://127.0.0.1:{port}/slack" if kind == "refused" else f"{false_one.url}/slack"
        stack = told(channels, authority, box, slackWebhookUrl=address)
        with alertmanager_process(stack, tmp_path, PACE) as process:
            fire(process.url, CONNECTIONS)
            wait_for(lambda: channels.taken("/pagerduty") and box.messages, patience=SOON)
            failed = "alertmanager_notification_requests_failed_total"
            wait_for(lambda: counted(process.url, failed, integration="slack", receiver_name="P1") >= 2, patience=60)
        assert false_one.posts == []
    assert len(channels.taken("/pagerduty")) == 1


def test_a_mail_server_that_refuses_the_login_delays_nobody(
    channels: Services, authority: Authority, box: Mailbox, tmp_path: Path
) -> None:
    stack = told(channels, authority, box, smtpPassword="wrong")
    with alertmanager_process(stack, tmp_path, PACE) as process:
        fire(process.url, CONNECTIONS)
        wait_for(lambda: channels.taken("/pagerduty") and channels.taken("/slack"), patience=SOON)
        failed = "alertmanager_notification_requests_failed_total"
        wait_for(lambda: counted(process.url, failed, integration="email", receiver_name="P1-email") >= 2, patience=60)
    assert box.messages == []


def test_a_mail_server_that_hangs_holds_nothing_but_mail(
    channels: Services, authority: Authority, tmp_path: Path
) -> None:
    """It takes the connection and says nothing: Alertmanager waits for it without end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        stack = told(channels, authority, smtpHost="127.0.0.1", smtpPort=port, smtpFrom="a@example.org", **MAIL)
        with alertmanager_process(stack, tmp_path, PACE) as process:
            fire(process.url, CONNECTIONS)
            wait_for(lambda: channels.taken("/pagerduty") and channels.taken("/slack"), patience=SOON)
            fire(process.url, CONNECTIONS, over=True)
            wait_for(lambda: len(channels.taken("/pagerduty")) == 2 and len(channels.taken("/slack")) == 2)
            process.kill()


def test_what_ended_while_its_receiver_failed_is_told_as_ended(
    channels: Services, authority: Authority, tmp_path: Path
) -> None:
    """Whoever was told that it began is told that it ended, however long the receiver was away in between."""
    with alertmanager_process(told(channels, authority), tmp_path, PACE) as process:
        fire(process.url, CONNECTIONS)
        wait_for(lambda: channels.taken("/slack"))
        channels.answers["/slack"] = lambda: Answer(500)
        fire(process.url, CONNECTIONS, over=True)
        failed = "alertmanager_notification_requests_failed_total"
        wait_for(lambda: counted(process.url, failed, integration="slack", receiver_name="P1") >= 2)
        channels.answers.clear()
        wait_for(lambda: len(channels.taken("/slack")) == 2, patience=40)
    assert "resolved" in channels.taken("/slack")[1]["attachments"][0]["title"]


def test_the_stack_says_itself_over_another_receiver_that_one_fails(
    channels: Services, authority: Authority, box: Mailbox, tmp_path: Path
) -> None:
    """Prometheus scrapes Alertmanager, sees that Slack fails, and its alert arrives by PagerDuty and email."""
    channels.answers["/slack"] = lambda: Answer(500)
    stack = told(channels, authority, box, drill="true", scrapeInterval="1s", evaluationInterval="1s")
    with (
        alertmanager_process(stack, tmp_path / "alertmanager") as alerts,
        prometheus_process(stack, tmp_path / "prometheus", alerts.url),
    ):
        fire(alerts.url, CONNECTIONS)
        wait_for(
            lambda: (
                "AlertmanagerNotificationsFailing" in _classes(channels)
                and any("AlertmanagerNotificationsFailing" in str(message["Subject"]) for message in box.messages)
            ),
            tmp_path / "alertmanager/log",
            patience=120,
        )


def _classes(channels: Services) -> set[str]:
    return {event["payload"]["class"] for event in channels.taken("/pagerduty")}


def test_an_alertmanager_killed_in_an_incident_sends_nothing_twice_forgets_nothing_and_keeps_silences(
    channels: Services, authority: Authority, box: Mailbox, tmp_path: Path
) -> None:
    silenced = labels("RedisDown", "P1", "redis", instance="redis:6379")
    missed = labels("KongDown", "P1", "api_gateway", instance="kong:8100")
    with alertmanager_process(told(channels, authority, box), tmp_path, PACE) as process:
        silence(process, "RedisDown")
        fire(process.url, CONNECTIONS, silenced)
        wait_for(lambda: all(map(len, (channels.taken("/slack"), channels.taken("/pagerduty"), box.messages))))
        # Slack fails when the next one comes: that is what must not be forgotten.
        channels.answers["/slack"] = lambda: Answer(500)
        fire(process.url, missed)
        wait_for(lambda: len(channels.taken("/pagerduty")) == 2 and len(box.messages) == 2)
        # The log is written each second.
        time.sleep(2.5)
        process.kill()
        channels.answers.clear()
        process.start()
        # Prometheus sends again what fires.
        fire(process.url, CONNECTIONS, silenced, missed)
        wait_for(lambda: len(channels.taken("/slack")) == 2, patience=30)
        time.sleep(6)
        told_by_slack = [message["attachments"][0]["title"] for message in channels.taken("/slack")]
        assert ["KongDown" in title for title in told_by_slack] == [False, True]
        assert len(channels.taken("/pagerduty")) == 2
        assert len(box.messages) == 2
        assert "RedisDown" not in str(channels.posts)
        (kept,) = httpx.get(f"{process.url}/api/v2/silences").json()
        assert kept["status"]["state"] == "active"
        fire(process.url, CONNECTIONS, over=True)
        wait_for(lambda: len(channels.taken("/slack")) == 3)
        assert "resolved" in channels.taken("/slack")[2]["attachments"][0]["title"]


def silence(process: Process, name: str) -> None:
    """Silence an alert for an hour."""
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + after)) for after in (-1, 3600)]
    matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
    body = {"matchers": [matcher], "startsAt": stamps[0], "endsAt": stamps[1], "createdBy": "t", "comment": "t"}
    httpx.post(f"{process.url}/api/v2/silences", json=body).raise_for_status()


@pytest.mark.parametrize("killed", ["prometheus", "alertmanager"])
def test_the_heartbeat_stops_within_two_minutes_of_either(
    killed: str, channels: Services, authority: Authority, tmp_path: Path
) -> None:
    stack: Settings = told(channels, authority)
    with (
        alertmanager_process(
            stack, tmp_path / "alertmanager", {"group_interval": "2s", "repeat_interval": "1s"}
        ) as alerts,
        prometheus_process(stack, tmp_path / "prometheus", alerts.url) as prometheus,
    ):
        wait_for(lambda: len(channels.taken("/heartbeat")) >= 2, patience=90)
        (prometheus if killed == "prometheus" else alerts).kill()
        gone = time.time()
        # In a stack one beat a minute; here one in two seconds, so that the last one is seen more exactly.
        while channels.posts[-1].at > time.time() - 20 and time.time() - gone < 180:
            time.sleep(1)
        if killed == "alertmanager":
            alerts.start()
    last = max(post.at for post in channels.posts if post.path == "/heartbeat" and post.at < gone + 150)
    print(f"the last beat came {last - gone:.0f} s after {killed} was killed")
    assert last - gone < 120
    assert WATCHDOG["alertname"] in str(channels.taken("/heartbeat")[0])
