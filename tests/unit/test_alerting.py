"""The keys about alerting: what is taken, and what is refused with the way out."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.alertmanager.receivers import receivers
from config.alertmanager.table import PAGE, page, told
from config.errors import SettingsError
from config.settings import Settings, load
from tests.unit.test_settings import DEMO, EXISTING

TEAM = {"name": "team", "kind": "slack", "matchers": ['component="database"']}
NIGHT = {"name": "night", "priorities": ["P3"], "times": ["20:00-24:00", "00:00-07:00"], "location": "Europe/Berlin"}


def settings(**keys: Any) -> Settings:
    """A demo stack with these keys; what is not text is given as JSON."""
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in keys.items()}
    return load("dev", {**DEMO, **values}, environment={}, dotenv=Path("/nonexistent"))


def refused(**keys: Any) -> str:
    """What a demo stack with these keys is refused with."""
    with pytest.raises(SettingsError) as caught:
        settings(**keys)
    return str(caught.value)


def test_a_further_receiver_finds_its_secret_under_its_name_or_under_the_key_it_names() -> None:
    alerting = settings(receivers=[TEAM, {**TEAM, "name": "other", "secret": "team"}]).alerting
    assert [receiver.secret_key for receiver in alerting.receivers] == ["team", "team"]
    assert alerting.receiver_secrets["team"].get_secret_value() == "https://team.example/s3cret"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "P1"}, "none of the stack's own receivers"),
        ({"name": "Team A"}, "at most 40 of a-z"),
        ({"kind": "pigeon"}, "Input should be 'slack'".lower()),
        ({"matchers": ["component"]}, "must be a matcher"),
        ({"chanel": "#x"}, "receivers[0].chanel"),
        ({"secret": "other"}, "pulumi config set --secret --path monitoring:receiverSecrets.other"),
        ({"kind": "email"}, "needs smtpHost"),
        (
            {"kind": "email", "to": "a@b@c"},
            "receivers[0].to is 'a@b@c' (from Pulumi configuration): must be",
        ),
        ({"kind": "telegram"}, "needs the number of its chat"),
        (
            {"kind": "pagerduty", "url": "events.example"},
            "receivers[0].url is 'events.example' (from Pulumi configuration): must be an address",
        ),
    ],
)
def test_a_receiver_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    assert said in refused(receivers=[{**TEAM, **change}]).replace("Input", "input")


def test_a_secret_that_is_no_address_is_refused_and_not_shown() -> None:
    message = refused(receivers=[TEAM], receiverSecrets={"team": "hunter2"})
    assert "has a secret that must be an address that starts with http" in message
    assert "hunter2" not in message
    assert "hunter2" not in refused(receiverSecrets='["hunter2"')


def test_two_of_one_name_are_refused() -> None:
    assert "two entries of monitoring:receivers are called team" in refused(receivers=[TEAM, TEAM])
    assert "two entries of monitoring:muteTimes are called night" in refused(muteTimes=[NIGHT, NIGHT])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"priorities": ["P1"]}, "a P1 cannot be muted"),
        ({"priorities": ["P4"]}, "must be P2 or P3"),
        ({"times": ["20:00-07:00"]}, "a night is two of these"),
        ({"times": ["8-9"]}, "must be HH:MM-HH:MM"),
        ({"times": [], "weekdays": ["caturday"]}, "must be a day such as saturday"),
        ({"times": [], "weekdays": ["saturday:sunday"]}, "a range from sunday on"),
        ({"location": "Middle/Earth"}, "must be a time zone"),
        ({"times": []}, "needs weekdays or times"),
    ],
)
def test_a_mute_time_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    assert said in refused(muteTimes=[{**NIGHT, **change}])


def test_a_stack_that_tells_nobody_has_to_say_so() -> None:
    nobody = {key: value for key, value in EXISTING.items() if key not in ("slackWebhookUrl", "pagerdutyServiceKey")}
    load("prod", nobody, environment={}, dotenv=Path("/nonexistent"))
    with pytest.raises(SettingsError, match="nobody would be told of an alert"):
        load("prod", {**nobody, "noReceivers": "false"}, environment={}, dotenv=Path("/nonexistent"))
    load("prod", {**EXISTING, "noReceivers": "false"}, environment={}, dotenv=Path("/nonexistent"))


def test_the_tables_of_the_page_are_those_of_the_configuration() -> None:
    text = PAGE.read_text()
    assert page(text, settings()) == text, "write them anew: python -m config.alertmanager.table"


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="has no place for 'grouped'"):
        page(PAGE.read_text().replace("<!-- /grouped -->", ""), settings())


def test_the_page_names_the_services_that_the_receivers_have() -> None:
    """What the table says of a priority is what Alertmanager gets where everything is configured."""
    mail = {"smtpHost": "smtp.example", "smtpFrom": "a@example.org", "alertEmailCritical": "b@example.org"}
    names = {"pagerduty_configs": "PagerDuty", "slack_configs": "Slack", "email_configs": "email"}
    for line in told().splitlines()[2:-1]:
        priority, services = [cell.strip() for cell in line.split("|")][1:3]
        all_of_them = receivers(settings(**mail, alertEmailHigh="c@example.org"))
        mine = [one for one in all_of_them if one["name"].partition("-")[0] == priority]
        assert ", ".join(name for kind, name in names.items() if any(kind in one for one in mine)) == services
