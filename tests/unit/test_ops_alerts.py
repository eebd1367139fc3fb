"""`ops alerts` and `ops silence`, against a real Alertmanager where there is one to ask."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.table import Table

from ops.alerts.client import Client, Count, Way
from ops.alerts.deployment import EXPECTED
from ops.alerts.overview import overview
from ops.alerts.silences import Matcher, check, parse
from ops.alerts.trial import errors_in
from ops.errors import OpsError
from ops.report import show
from ops.validation.alertmanager import deliveries
from tests.processes import alertmanager, fire, unused_port, wait_for
from tests.routing.stacks import DEMO, WATCHDOG, labels, settings
from tests.rules.reading import written_rules

# As Alertmanager 0.34.2 writes it.
LOG = (
    'time=2026-11-24T20:41:02.123Z level=WARN source=notify.go:876 msg="Notify attempt failed, will retry later" '
    'component=dispatcher receiver=P1 integration=slack[0] aggrGroup="{}/{priority=\\"P1\\"}:{instance=\\"ops-1\\"}" '
    'attempts=1 err="channel \\"\\": unexpected status code 404: no_such_channel"\n'
    'time=2026-11-24T20:41:02.123Z level=WARN msg="other" receiver=P1 integration=slack[0] '
    'aggrGroup="{instance=\\"ops-2\\"}" err="another alert\'s"\n'
    'time=2026-11-24T20:41:02.123Z level=ERROR msg="Notify for alerts failed" component=dispatcher '
    'aggrGroup="{}/{priority=\\"P2\\"}:{instance=\\"ops-4\\"}" num_alerts=1 '
    'err="P2/slack[0]: notify retry canceled due to unrecoverable error after 1 attempts: '
    '404: gone\\nP2/webhook[0]: refused"\n'
)


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ("component=database", Matcher("component", "=", "database")),
        ('alertname =~ "Kong.*"', Matcher("alertname", "=~", "Kong.*")),
        ('instance!="a\\"b"', Matcher("instance", "!=", 'a"b')),
        ("team!~a|b", Matcher("team", "!~", "a|b")),
    ],
)
def test_a_matcher_is_read_as_alertmanager_writes_it(text: str, matcher: Matcher) -> None:
    assert parse(text) == matcher
    assert Matcher.of(matcher.api) == matcher


@pytest.mark.parametrize("text", ["database", "=x", "a b=c", "alertname=~("])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(OpsError) as caught:
        parse(text)
    assert caught.value.code == 2


def test_a_matcher_that_nothing_could_match_is_refused_with_what_there_is() -> None:
    known = {"KongHighLatency", "KongDown"}
    check(parse("alertname=KongDown"), known)
    check(parse("alertname=~Kong.+"), known)
    with pytest.raises(OpsError, match="there is, for example: KongHighLatency"):
        check(parse("alertname=KongHighLatncy"), known)
    with pytest.raises(OpsError, match="nothing has alertname=~'Redis.*'"):
        check(parse("alertname=~Redis.*"), known)
    with pytest.raises(OpsError, match="has the label colour"):
        check(parse("colour=red"), set())


def test_the_overview_says_who_is_told_and_what_keeps_the_rest_quiet(tmp_path: Path) -> None:
    down = labels("RedisDown", "P1", "redis", instance="redis:6379")
    evicting = labels("RedisHighEvictionRate", "P2", "redis", instance="redis:6379")
    kong = labels("KongHighLatency", "P2", "api_gateway", instance="kong:8100")
    with alertmanager(settings(DEMO), tmp_path) as url:
        client = Client(url)
        known = client.silence(
            [parse("alertname=KongHighLatency").api],
            end=datetime.now(UTC) + timedelta(hours=1),
            author="ada",
            reason="it is being moved",
        )
        fire(url, down, evicting, kong, WATCHDOG)
        wait_for(lambda: sum(bool(row.quiet) for row in overview(client)) == 2)
        rows = {row.name: row for row in overview(client)}
        assert [row.name for row in overview(client)][0] == "RedisDown"
        assert set(rows["RedisDown"].receivers) == {"P1", "P1-email"}
        assert rows["RedisDown"].quiet == ""
        assert rows["RedisDown"].where == "redis, redis:6379"
        assert rows["RedisHighEvictionRate"].quiet == "inhibited by RedisDown"
        assert rows["KongHighLatency"].quiet == f"silenced by {known[:8]} (ada: it is being moved)"
        assert rows["Watchdog"].receivers == ("heartbeat",)
        client.end(known)
        assert client.silences() == []


def test_each_way_out_is_counted_from_the_start(tmp_path: Path) -> None:
    with alertmanager(settings(DEMO), tmp_path) as url:
        assert Client(url).counts() == {
            Way("P1", "pagerduty"): Count(0, 0),
            Way("P1", "slack"): Count(0, 0),
            Way("P2", "slack"): Count(0, 0),
            Way("P3", "slack"): Count(0, 0),
            Way("heartbeat", "webhook"): Count(0, 0),
            Way("smoke", "webhook"): Count(0, 0),
        }


def test_an_alertmanager_that_does_not_answer_is_named() -> None:
    with pytest.raises(OpsError, match="is the stack up"):
        Client(f"http://127.0.0.1:{unused_port()}").alerts()


def test_the_answer_of_a_receiver_is_the_last_error_about_this_alert() -> None:
    assert errors_in(LOG, "ops-1") == {"P1/slack": 'channel "": unexpected status code 404: no_such_channel'}
    assert errors_in(LOG, "ops-3") == {}
    assert errors_in(LOG, "ops-4") == {
        "P2/slack": "notify retry canceled due to unrecoverable error after 1 attempts: 404: gone",
        "P2/webhook": "refused",
    }


def test_a_way_out_fails_the_validation_when_half_of_what_it_tried_lately_failed() -> None:
    ways = {Way("P1", "slack"): Count(10, 5), Way("P1", "email"): Count(10, 5)}
    results = {check.name: check.result for check in deliveries(ways, {Way("P1", "slack"): 0.5})}
    assert results == {"notifications to P1 by slack": "fail", "notifications to P1 by email": "pass"}


def test_what_an_update_is_expected_to_do_are_alerts_about_load_and_nothing_else() -> None:
    rules = {rule.name: rule for rule in written_rules() if rule.is_alert}
    assert set(EXPECTED) <= set(rules)
    assert {rules[name].body["labels"]["component"] for name in EXPECTED} == {"system", "docker"}
    assert not any("Down" in name or "Gone" in name or "Memory" in name for name in EXPECTED)


def test_a_table_in_a_file_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("what", "reason", box=None)
    table.add_row("alertname=~" + "x" * 90, "moved by somebody, for a reason that takes its words")
    show(table)
    assert any("x" * 90 in line and "takes its words" in line for line in capsys.readouterr().out.splitlines())
