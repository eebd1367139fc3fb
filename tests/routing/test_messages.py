"""What arrives: once, in full, in the shape that each service takes, and unharmed by what labels contain."""

import email.utils
import json
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from config.alertmanager import alertmanager_files
from config.settings import Settings
from tests.processes import alertmanager, alertmanager_process, fire, wait_for
from tests.routing.stacks import DEMO, PRIMARY, WATCHDOG, further, labels, settings
from tests.services import Authority, Mailbox, Services

ANNOTATIONS = {
    "summary": "PostgreSQL is nearly out of connections.",
    "description": "91% of the connections of postgres:5432 that are open to applications are in use.",
    "runbook_url": "https://runbooks.example/PostgreSQLTooManyConnections.md",
    "dashboard_url": "https://grafana.example/d/database",
}
CONNECTIONS = labels("PostgreSQLTooManyConnections", "P1", "database", instance=PRIMARY)
# What somebody may put into a label: markup of every service, quotes, a line break, and length.
EVIL = '<!channel> <https://evil.example|click> & "quoted" \\ {{ .ExternalURL }}\n*bold* `x` <script>alert(1)</script>'


def slack_of(channels: Services, count: int = 1) -> list[dict[str, Any]]:
    """The attachments that Slack took, one a message, each checked against Slack's limits."""
    wait_for(lambda: len(channels.taken("/slack")) >= count)
    found = []
    for message in channels.taken("/slack"):
        (attachment,) = message["attachments"]
        check_slack(attachment)
        found.append(attachment)
    return found


def check_slack(attachment: dict[str, Any]) -> None:
    """Hold an attachment against Slack's reference: a colour, a fallback, five actions at most, no stray markup."""
    assert re.fullmatch("#[0-9A-F]{6}", attachment["color"])
    assert attachment["fallback"]
    assert 0 < len(attachment["title"]) <= 300
    assert len(attachment["text"]) <= 8000
    assert len(attachment["actions"]) <= 5
    for action in attachment["actions"]:
        assert action["type"] == "button"
        assert 0 < len(action["text"]) <= 30
        assert urlsplit(action["url"]).scheme in ("http", "https")
        assert len(action["url"]) <= 3000
    assert not re.search("[<>]", attachment["text"]), "a label made markup"
    assert not re.search("&(?!amp;|lt;|gt;)", attachment["text"])


def check_pagerduty(event: dict[str, Any]) -> None:
    """Hold an event against PagerDuty's Events API v2: names, types and lengths."""
    assert len(json.dumps(event)) <= 512_000
    assert event["event_action"] in ("trigger", "resolve")
    assert 0 < len(event["dedup_key"]) <= 255
    payload = event["payload"]
    assert 0 < len(payload["summary"]) <= 1024
    assert payload["source"]
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert all(isinstance(payload[name], str) and payload[name] for name in ("component", "group", "class"))
    assert all(set(link) == {"href", "text"} and link["href"].startswith("http") for link in event["links"])


def buttons(attachment: dict[str, Any]) -> dict[str, str]:
    """Text -> address of the buttons."""
    return {action["text"]: action["url"] for action in attachment["actions"]}


def test_a_p1_reaches_slack_pagerduty_and_email_once_and_so_does_its_end(
    told_stack: Settings, channels: Services, box: Mailbox, tmp_path: Path
) -> None:
    with alertmanager_process(told_stack, tmp_path, {"group_interval": "2s"}) as process:
        fire(process.url, CONNECTIONS, annotations=ANNOTATIONS)
        wait_for(lambda: channels.taken("/slack") and channels.taken("/pagerduty") and box.messages)
        fire(process.url, CONNECTIONS, over=True, annotations=ANNOTATIONS)
        wait_for(lambda: min(map(len, (channels.taken("/slack"), channels.taken("/pagerduty"), box.messages))) == 2)
    slack = slack_of(channels, 2)
    assert [attachment["title"] for attachment in slack] == [
        f"[P1 firing: 1] PostgreSQLTooManyConnections on {PRIMARY} (dev)",
        f"[P1 resolved] PostgreSQLTooManyConnections on {PRIMARY} (dev)",
    ]
    assert [attachment["color"] for attachment in slack] == ["#D50000", "#2EB67D"]
    assert re.fullmatch(
        r"PostgreSQL is nearly out of connections\.\n"
        r"• PostgreSQLTooManyConnections: 91% of the connections .* are in use\. \(threshold 80%\) · "
        r"database, postgres:5432 · since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n",
        slack[0]["text"],
    )
    trigger, resolve = channels.taken("/pagerduty")
    check_pagerduty(trigger)
    check_pagerduty(resolve)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["routing_key"] == "pagerduty-s3cret"
    payload = trigger["payload"]
    assert {name: payload[name] for name in ("severity", "component", "group", "class", "source")} == {
        "severity": "critical",
        "component": "database",
        "group": "monitoring-dev",
        "class": "PostgreSQLTooManyConnections",
        "source": PRIMARY,
    }
    assert "91% of the connections" in payload["custom_details"]["firing"]
    assert [link["text"] for link in trigger["links"]] == ["Runbook", "Dashboard", "Silence"]
    assert box.recipients == ["oncall@example.org"] * 2
    assert [str(message["Subject"]) for message in box.messages] == [attachment["title"] for attachment in slack]


def test_links_lead_to_the_runbook_the_dashboard_of_that_time_and_the_filled_in_silence(
    told_stack: Settings, channels: Services, tmp_path: Path
) -> None:
    with alertmanager(told_stack, tmp_path) as url:
        fire(url, CONNECTIONS, annotations=ANNOTATIONS)
        (attachment,) = slack_of(channels)
    found = buttons(attachment)
    assert found["Runbook"] == ANNOTATIONS["runbook_url"]
    dashboard = urlsplit(found["Dashboard"])
    query = parse_qs(dashboard.query)
    assert dashboard.path == "/d/database"
    assert query["to"] == ["now"]
    assert query["var-server"] == [PRIMARY]
    began = re.search(r"since (\S+ \S+) UTC", attachment["text"])
    assert began
    since = datetime.fromisoformat(f"{began.group(1)}+00:00").timestamp()
    assert int(query["from"][0]) / 1000 == pytest.approx(since - 1800, abs=1)
    silence = unquote(found["Silence"].partition("filter=")[2])
    assert silence == f'{{component="database",instance="{PRIMARY}",priority="P1"}}'


@pytest.mark.parametrize(("priority", "color"), [("P2", "#FF6D00"), ("P3", "#FFC400")])
def test_slack_shows_the_priority_by_colour(
    priority: str, color: str, told_stack: Settings, channels: Services, tmp_path: Path
) -> None:
    with alertmanager(told_stack, tmp_path) as url:
        fire(url, labels("RedisLowHitRatio", priority, "redis", instance="redis:6379"))
        (attachment,) = slack_of(channels)
    assert attachment["color"] == color
    assert channels.taken("/pagerduty") == []


def test_an_email_reads_as_plain_text_and_as_well_formed_html(
    told_stack: Settings, channels: Services, box: Mailbox, tmp_path: Path
) -> None:
    with alertmanager(told_stack, tmp_path) as url:
        fire(url, CONNECTIONS, annotations=ANNOTATIONS)
        wait_for(lambda: box.messages)
    (message,) = box.messages
    assert message.defects == []
    assert message["From"] == "monitoring@example.org"
    assert message["To"] == "oncall@example.org"
    assert email.utils.parsedate_to_datetime(message["Date"])
    assert message["Message-Id"]
    assert all(len(line) <= 998 for line in box.raw[0].splitlines())
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain
    assert html
    text = plain.get_content()
    assert "91% of the connections" in text
    assert f"Runbook: {ANNOTATIONS['runbook_url']}" in text
    page = Page(html.get_content())
    assert "91% of the connections" in page.text
    assert "width=device-width" in html.get_content()
    (attachment,) = slack_of(channels)
    links = dict(page.links)
    assert links["Runbook"] == buttons(attachment)["Runbook"]
    assert unquote(links["Silence"]) == unquote(buttons(attachment)["Silence"])
    assert parse_qs(urlsplit(links["Dashboard"]).query) == parse_qs(urlsplit(buttons(attachment)["Dashboard"]).query)


class Page(HTMLParser):
    """An HTML page: its text, its links (text, address); fails the test where an element is not closed in order."""

    VOID = ("meta", "br", "hr", "img", "link")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[tuple[str, str]] = []
        self.elements: list[str] = []
        self._open: list[str] = []
        self._address = ""
        self.feed(page)
        self.close()
        assert self._open == [], "an element is not closed"

    # The names of these three are the library's.
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        self.elements.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)
        self._address = dict(attrs).get("href") or "" if tag == "a" else self._address

    def handle_endtag(self, tag: str) -> None:  # noqa: D102
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:  # noqa: D102
        self.text += data
        if self._open and self._open[-1] == "a":
            self.links.append((data, self._address))


def test_many_alerts_are_one_message_of_ten_lines_and_a_count(
    told_stack: Settings, channels: Services, box: Mailbox, tmp_path: Path
) -> None:
    alerts = [
        labels("PostgreSQLDeadlocks", "P1", "database", instance=PRIMARY, datname=f"app{number}")
        for number in range(42)
    ]
    with alertmanager_process(told_stack, tmp_path, {"group_wait": "2s"}) as process:
        fire(process.url, *alerts, annotations=ANNOTATIONS, age=0)
        (attachment,) = slack_of(channels)
        wait_for(lambda: box.messages and channels.taken("/pagerduty"))
    assert attachment["title"].startswith("[P1 firing: 42] PostgreSQLDeadlocks")
    lines = attachment["text"].strip().splitlines()
    assert sum(line.startswith("• ") for line in lines) == 10
    assert lines[-1] == "… 32 more"
    (event,) = channels.taken("/pagerduty")
    check_pagerduty(event)
    assert event["payload"]["custom_details"]["firing"].rstrip().endswith("… 32 more")
    html = box.messages[0].get_body(("html",))
    assert html
    assert Page(html.get_content()).elements.count("li") == 10


def test_the_components_with_a_route_of_their_own_make_one_message_of_several_alerts(
    told_stack: Settings, channels: Services, tmp_path: Path
) -> None:
    gateway = [
        labels("KongHighLatency", "P2", "api_gateway", instance="kong:8100"),
        labels("APIErrorBudgetBurnSlow", "P2", "api_gateway", job="kong"),
    ]
    redis = [
        labels(name, "P2", "redis", instance="redis:6379") for name in ("RedisHighEvictionRate", "RedisSnapshotTooOld")
    ]
    with alertmanager_process(told_stack, tmp_path, {"group_wait": "2s"}) as process:
        fire(process.url, *gateway, *redis, age=0)
        titles = sorted(attachment["title"] for attachment in slack_of(channels, 3))
    assert titles == [
        "[P2 firing: 1] RedisHighEvictionRate on redis:6379 (dev)",
        "[P2 firing: 1] RedisSnapshotTooOld on redis:6379 (dev)",
        "[P2 firing: 2] api_gateway: 2 alerts (dev)",
    ]


def test_what_others_put_into_labels_breaks_no_markup(
    told_stack: Settings, channels: Services, box: Mailbox, tmp_path: Path
) -> None:
    evil = labels("PostgreSQLTooManyConnections", "P1", "database", instance=EVIL, datname="x" * 5000)
    description = {**ANNOTATIONS, "description": f"{EVIL} {'y' * 5000}"}
    with alertmanager(told_stack, tmp_path) as url:
        fire(url, evil, annotations=description)
        (attachment,) = slack_of(channels)
        wait_for(lambda: box.messages and channels.taken("/pagerduty"))
    (line,) = [line for line in attachment["text"].splitlines() if line.startswith("• ")]
    assert "&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp;" in line
    assert attachment["mrkdwn_in"] == ["pretext"]
    silence = unquote(buttons(attachment)["Silence"].partition("filter=")[2])
    assert silence == f'{{component="database",instance={_quoted(EVIL)},priority="P1"}}'
    (event,) = channels.taken("/pagerduty")
    check_pagerduty(event)
    (message,) = box.messages
    assert message.defects == []
    assert all(len(line) <= 998 for line in box.raw[0].splitlines())
    assert set(message.keys()) == {"To", "From", "Subject", "Message-Id", "Date", "Content-Type", "MIME-Version"}
    html = message.get_body(("html",))
    assert html
    page = Page(html.get_content())
    assert "script" not in page.elements
    assert "<!channel>" in page.text
    assert unquote(dict(page.links)["Silence"]) == unquote(buttons(attachment)["Silence"])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def test_an_alert_of_somebody_elses_without_annotations_is_told_too(
    told_stack: Settings, channels: Services, tmp_path: Path
) -> None:
    with alertmanager(told_stack, tmp_path) as url:
        fire(url, {"alertname": "Bare", "stack": ""}, annotations={"note": "nothing"})
        wait_for(lambda: channels.taken("/slack"))
    (message,) = channels.taken("/slack")
    attachment = message["attachments"][0]
    assert attachment["title"].startswith("[no priority firing: 1] Bare")
    assert "Bare: no description · unknown component" in attachment["text"]


def test_the_heartbeat_gets_the_watchdog_and_nobody_else_does(
    told_stack: Settings, channels: Services, box: Mailbox, tmp_path: Path
) -> None:
    with alertmanager(told_stack, tmp_path) as url:
        fire(url, WATCHDOG, CONNECTIONS)
        wait_for(lambda: channels.taken("/heartbeat") and channels.taken("/slack") and box.messages)
    (beat,) = channels.taken("/heartbeat")
    assert [alert["labels"]["alertname"] for alert in beat["alerts"]] == ["Watchdog"]
    assert "Watchdog" not in json.dumps(channels.taken("/slack") + channels.taken("/pagerduty"))


def test_no_secret_is_in_the_configuration(channels: Services, authority: Authority) -> None:
    secrets = {"team": "https://team.example/hunter2", "pager": "hunter3"}
    receivers = [further("slack"), further("pagerduty", name="pager", secret="pager")]
    stack = settings(DEMO, receivers=receivers, receiverSecrets=secrets)
    text = "".join(alertmanager_files(stack).values())
    assert not re.search("s3cret|hunter", text)
