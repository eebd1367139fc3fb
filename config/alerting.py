"""Who is told of alerts, as a person configures it: the models of the keys, and what is wrong with them."""

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from config.values import matching

if TYPE_CHECKING:
    from config.keys import Keys

# The stack's own receivers have these names.
OWN_RECEIVERS = ("P1", "P1-email", "P2", "P2-email", "P3", "heartbeat")
# In the order of Alertmanager, whose ranges do not go over the end of the week.
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TIMES = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or value in OWN_RECEIVERS:
        raise ValueError("must be at most 40 of a-z, 0-9 and '-', and none of the stack's own receivers")
    return value


def _times(value: str) -> str:
    match = _TIMES.fullmatch(value)
    if not match or match.group(1) >= match.group(2):
        raise ValueError("must be HH:MM-HH:MM within one day, such as 20:00-24:00; a night is two of these")
    return value


def _weekdays(value: str) -> str:
    days = value.split(":")
    if len(days) > 2 or not set(days) <= set(WEEKDAYS) or sorted(days, key=WEEKDAYS.index) != days:
        raise ValueError("must be a day such as saturday, or a range from sunday on, such as monday:friday")
    return value


def _location(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("must be a time zone such as UTC or Europe/Berlin")
    return value


def _below_p1(value: str) -> str:
    if value == "P1":
        raise ValueError("a P1 cannot be muted; for planned work there is: ops silence add")
    if value not in ("P2", "P3"):
        raise ValueError("must be P2 or P3")
    return value


Name = Annotated[str, AfterValidator(_name)]
Matcher = Annotated[
    str,
    matching(
        r'[a-zA-Z_]\w*\s*(=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"',
        'must be a matcher as Alertmanager writes it, such as component="database" or team=~"a|b"',
    ),
]


class _Entry(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, hide_input_in_errors=True)


class Receiver(_Entry):
    """One more receiver, beside the stack's own, which still get theirs.

    It gets the alerts that all `matchers` hold for (none: every alert). Its secret (the webhook's address, the service
    key, the bot's token) stands in `receiverSecrets` under the key `secret`, or else under its name.
    """

    name: Name
    kind: Literal["slack", "pagerduty", "email", "webhook", "opsgenie", "teams", "telegram"]
    matchers: tuple[Matcher, ...] = ()
    secret: str = ""
    to: str = Field("", description="Address, of an email receiver.")
    chat: int = Field(0, description="Number of the chat, of a Telegram receiver.")
    url: str = Field("", description="Where the service's API is, if not at its maker: PagerDuty, Opsgenie, Telegram.")
    send_resolved: bool = True

    @property
    def secret_key(self) -> str:
        """Its key in `receiverSecrets`."""
        return self.secret or self.name


class MuteTime(_Entry):
    """Times at which P2, P3 or both are kept back: only those that all `matchers` hold for, where there are any."""

    name: Name
    priorities: tuple[Annotated[str, AfterValidator(_below_p1)], ...] = ("P2", "P3")
    matchers: tuple[Matcher, ...] = ()
    weekdays: tuple[Annotated[str, AfterValidator(_weekdays)], ...] = ()
    times: tuple[Annotated[str, AfterValidator(_times)], ...] = ()
    location: Annotated[str, AfterValidator(_location)] = "UTC"


@dataclass(frozen=True)
class Alerting:
    """Receivers of notifications; one that is not configured is empty or None.

    `ca` is the certificate (PEM) of the authority that the receivers' servers are trusted by; empty: the public ones.
    """

    smtp_host: str
    smtp_port: int
    smtp_from: str
    smtp_username: str
    smtp_password: SecretStr | None
    slack_webhook_url: SecretStr | None
    pagerduty_service_key: SecretStr | None
    pagerduty_url: str
    email_critical: str
    email_high: str
    heartbeat_url: SecretStr | None
    ca: str
    receivers: tuple[Receiver, ...]
    receiver_secrets: Mapping[str, SecretStr]
    mute_times: tuple[MuteTime, ...]


def alerting_of(keys: "Keys") -> Alerting:
    """What the keys say about alerting."""
    return Alerting(
        smtp_host=keys.smtp_host,
        smtp_port=keys.smtp_port,
        smtp_from=keys.smtp_from,
        smtp_username=keys.smtp_username,
        smtp_password=keys.smtp_password,
        slack_webhook_url=keys.slack_webhook_url,
        pagerduty_service_key=keys.pagerduty_service_key,
        pagerduty_url=keys.pagerduty_url,
        email_critical=keys.alert_email_critical,
        email_high=keys.alert_email_high,
        heartbeat_url=keys.heartbeat_url,
        ca=keys.receiver_ca,
        receivers=keys.receivers,
        receiver_secrets=keys.receiver_secrets,
        mute_times=keys.mute_times,
    )


def problems(keys: "Keys") -> list[str]:
    """A line for each thing in which the keys about alerting do not go together, with the way out."""
    lines = [f"two entries of monitoring:{key} are called {name}; rename one" for key, name in _twice(keys)]
    for receiver in keys.receivers:
        described = f"monitoring:receivers: {receiver.name} ({receiver.kind})"
        lines += [f"{described} {wrong}" for wrong in _wrong_with(receiver, keys)]
    for mute in keys.mute_times:
        if not (mute.weekdays or mute.times):
            lines.append(f"monitoring:muteTimes: {mute.name} needs weekdays or times, such as 20:00-24:00")
    mail = keys.smtp_host and (keys.alert_email_critical or keys.alert_email_high)
    told = keys.slack_webhook_url or keys.pagerduty_service_key or mail or keys.receivers
    if not (told or keys.demo or keys.no_receivers):
        lines.append(
            "nobody would be told of an alert: set monitoring:slackWebhookUrl, monitoring:pagerdutyServiceKey, "
            "monitoring:smtpHost with monitoring:alertEmailCritical, or monitoring:receivers; "
            "a stack that shall tell nobody says so with: pulumi config set monitoring:noReceivers true"
        )
    return lines


def _twice(keys: "Keys") -> list[tuple[str, str]]:
    named = {"receivers": [one.name for one in keys.receivers], "muteTimes": [one.name for one in keys.mute_times]}
    return [(key, name) for key, names in named.items() for name in sorted(set(names)) if names.count(name) > 1]


def _wrong_with(receiver: Receiver, keys: "Keys") -> list[str]:
    wrong = []
    if receiver.kind == "email":
        if not keys.smtp_host:
            wrong.append("needs smtpHost")
        if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", receiver.to):
            wrong.append("needs an email address in `to`")
        return wrong
    secret = keys.receiver_secrets.get(receiver.secret_key)
    if secret is None:
        command = f"pulumi config set --secret --path 'monitoring:receiverSecrets.{receiver.secret_key}' VALUE"
        wrong.append(f"has no secret; set it with: {command}")
    elif receiver.kind in ("slack", "webhook", "teams") and not re.match(r"https?://\S+$", secret.get_secret_value()):
        wrong.append("has a secret that is no address; it must start with http:// or https://")
    if receiver.kind == "telegram" and not receiver.chat:
        wrong.append("needs the number of its chat in `chat`")
    if receiver.url and not re.match(r"https?://\S+$", receiver.url):
        wrong.append("has a `url` that does not start with http:// or https://")
    return wrong
