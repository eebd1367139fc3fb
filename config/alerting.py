"""Who is told of alerts: what the keys say, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from config.alerting_keys import MuteTime, Receiver
from config.keys import Keys
from config.values import web_address
from config.way_out import set_with


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


def alerting_of(keys: Keys) -> Alerting:
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


def problems(keys: Keys) -> list[str]:
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
            "a stack that shall tell nobody says so with: " + set_with("noReceivers", "true")
        )
    return lines


def _twice(keys: Keys) -> list[tuple[str, str]]:
    named = {"receivers": [one.name for one in keys.receivers], "muteTimes": [one.name for one in keys.mute_times]}
    return [(key, name) for key, names in named.items() for name in sorted(set(names)) if names.count(name) > 1]


def _wrong_with(receiver: Receiver, keys: Keys) -> list[str]:
    wrong = []
    if receiver.kind == "email":
        if not keys.smtp_host:
            wrong.append("needs smtpHost")
        if not receiver.to:
            wrong.append("needs an email address in `to`")
        return wrong
    secret = keys.receiver_secrets.get(receiver.secret_key)
    if secret is None:
        wrong.append(
            f"has no secret; set it with: {set_with(f'receiverSecrets.{receiver.secret_key}', '', secret=True)}"
        )
    elif receiver.kind in ("slack", "webhook", "teams"):
        try:
            web_address(secret.get_secret_value())
        except ValueError as error:
            wrong.append(f"has a secret that {error}")
    if receiver.kind == "telegram" and not receiver.chat:
        wrong.append("needs the number of its chat in `chat`")
    return wrong
