"""Who gets notifications, by which service: the stack's own receivers and further ones, and their secrets."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from config.alerting import Alerting
from config.alerting_keys import Receiver
from config.alertmanager.smoke import RECEIVER_CONFIG
from config.settings import Settings

SECRETS = "/run/config"
"""Where the secrets lie as files, in Alertmanager's container."""

_TITLE = '{{ template "monitoring.title" . }}'
_TEXT = '{{ template "monitoring.text" . }}'
# A server that takes a request and never answers would hold it until the next one is due: up to ten minutes.
_TIMEOUT = "10s"
# From the shades of a traffic light; P3 is the last.
_COLOR = (
    '{{ if eq .Status "resolved" }}#2EB67D{{ else if eq .CommonLabels.priority "P1" }}#D50000'
    '{{ else if eq .CommonLabels.priority "P2" }}#FF6D00{{ else }}#FFC400{{ end }}'
)
_SEVERITY = (
    '{{ if eq .CommonLabels.priority "P1" }}critical{{ else if eq .CommonLabels.priority "P2" }}error'
    "{{ else }}warning{{ end }}"
)


def secrets(settings: Settings) -> dict[str, SecretStr]:
    """Name below SECRETS -> secret, for the secrets that are configured."""
    alerting = settings.alerting
    own = {
        "smtp_password": alerting.smtp_password,
        "slack_webhook_url": alerting.slack_webhook_url,
        "pagerduty_service_key": alerting.pagerduty_service_key,
        "heartbeat_url": alerting.heartbeat_url,
    }
    further = {
        _secret_file(receiver): alerting.receiver_secrets[receiver.secret_key]
        for receiver in alerting.receivers
        if receiver.kind != "email"
    }
    return {path: secret for path, secret in (own | further).items() if secret}


def warnings(settings: Settings) -> list[str]:
    """A line for every one of the stack's own receivers that is left out, with what to set."""
    alerting = settings.alerting
    missing = {
        "PagerDuty (P1)": ("pagerdutyServiceKey", alerting.pagerduty_service_key),
        "Slack (P1, P2, P3)": ("slackWebhookUrl", alerting.slack_webhook_url),
        "email (P1, P2)": ("smtpHost", alerting.smtp_host),
        "email for P1": ("alertEmailCritical", not alerting.smtp_host or alerting.email_critical),
        "email for P2": ("alertEmailHigh", not alerting.smtp_host or alerting.email_high),
        "the Watchdog's heartbeat": ("heartbeatUrl", alerting.heartbeat_url),
    }
    return [f"no notifications to {name}: {key} is not set" for name, (key, value) in missing.items() if not value]


def smtp(settings: Settings) -> dict[str, Any]:
    """Alertmanager's global settings of email; empty where there is no SMTP server."""
    alerting = settings.alerting
    if not alerting.smtp_host:
        return {}
    return {
        "smtp_smarthost": f"{alerting.smtp_host}:{alerting.smtp_port}",
        "smtp_from": alerting.smtp_from,
        **({"smtp_auth_username": alerting.smtp_username} if alerting.smtp_username else {}),
        **({"smtp_auth_password_file": f"{SECRETS}/smtp_password"} if alerting.smtp_password else {}),
    }


def receivers(settings: Settings) -> list[dict[str, Any]]:
    """Every receiver, as Alertmanager reads it; one of the stack's own that is not configured is there and empty."""
    alerting = settings.alerting
    pagerduty = alerting.pagerduty_service_key and _pagerduty(alerting, "pagerduty_service_key")
    slack = alerting.slack_webhook_url and _slack(alerting, "slack_webhook_url")
    heartbeat = alerting.heartbeat_url and _webhook(alerting, "heartbeat_url", send_resolved=False)
    critical = alerting.smtp_host and alerting.email_critical and _email(alerting, alerting.email_critical)
    high = alerting.smtp_host and alerting.email_high and _email(alerting, alerting.email_high)
    return [
        {"name": "heartbeat", **(heartbeat or {})},
        {"name": "P1", **(pagerduty or {}), **(slack or {})},
        {"name": "P1-email", **(critical or {})},
        {"name": "P2", **(slack or {})},
        {"name": "P2-email", **(high or {})},
        {"name": "P3", **(slack or {})},
        RECEIVER_CONFIG,
        *(_further(alerting, receiver) for receiver in alerting.receivers),
    ]


def _secret_file(receiver: Receiver) -> str:
    return f"receiver-{receiver.name}"


def _further(alerting: Alerting, receiver: Receiver) -> dict[str, Any]:
    if receiver.kind == "email":
        return {"name": receiver.name, **_email(alerting, receiver.to, send_resolved=receiver.send_resolved)}
    make: Mapping[str, Callable[[], dict[str, Any]]] = {
        "slack": lambda: _slack(alerting, _secret_file(receiver), send_resolved=receiver.send_resolved),
        "pagerduty": lambda: _pagerduty(
            alerting, _secret_file(receiver), url=receiver.url, send_resolved=receiver.send_resolved
        ),
        "webhook": lambda: _webhook(alerting, _secret_file(receiver), send_resolved=receiver.send_resolved),
        "opsgenie": lambda: _opsgenie(alerting, receiver),
        "teams": lambda: _teams(alerting, receiver),
        "telegram": lambda: _telegram(alerting, receiver),
    }
    return {"name": receiver.name, **make[receiver.kind]()}


def _trust(alerting: Alerting) -> dict[str, Any]:
    return {"http_config": {"tls_config": {"ca": alerting.ca}}} if alerting.ca else {}


def _pagerduty(alerting: Alerting, secret: str, *, url: str = "", send_resolved: bool = True) -> dict[str, Any]:
    """An event of the Events API v2. Alertmanager makes its key for deduplication from the group: it stays the same."""
    return {
        "pagerduty_configs": [
            {
                "routing_key_file": f"{SECRETS}/{secret}",
                "url": url or alerting.pagerduty_url,
                "send_resolved": send_resolved,
                "client": "{{ .CommonLabels.project }} {{ .CommonLabels.stack }}",
                "client_url": '{{ template "monitoring.alertmanager" . }}',
                "description": _TITLE,
                "source": "{{ or .CommonLabels.instance .CommonLabels.service .CommonLabels.stack .ExternalURL }}",
                "severity": _SEVERITY,
                "component": '{{ or .CommonLabels.component "unknown" }}',
                "group": "{{ .CommonLabels.project }}-{{ .CommonLabels.stack }}",
                "class": '{{ or .CommonLabels.alertname "several alerts" }}',
                "links": [
                    {"text": "Runbook", "href": '{{ template "monitoring.runbook" . }}'},
                    {"text": "Dashboard", "href": '{{ template "monitoring.dashboard" . }}'},
                    {"text": "Silence", "href": '{{ template "monitoring.silence" . }}'},
                ],
                # These names are Alertmanager's defaults, with its own wording in place of ours.
                "details": {
                    "firing": '{{ template "pagerduty.list" .Alerts.Firing }}',
                    "resolved": '{{ template "pagerduty.list" .Alerts.Resolved }}',
                },
                "timeout": _TIMEOUT,
                **_trust(alerting),
            }
        ]
    }


def _slack(alerting: Alerting, secret: str, *, send_resolved: bool = True) -> dict[str, Any]:
    return {
        "slack_configs": [
            {
                "api_url_file": f"{SECRETS}/{secret}",
                "send_resolved": send_resolved,
                "color": _COLOR,
                "title": _TITLE,
                "title_link": '{{ template "monitoring.alertmanager" . }}',
                "text": '{{ template "slack.text" . }}',
                "fallback": _TITLE,
                # Not the text: what others put into labels must not become bold, struck through or code.
                "mrkdwn_in": ["pretext"],
                "actions": [
                    {"type": "button", "text": "Runbook", "url": '{{ template "monitoring.runbook" . }}'},
                    {"type": "button", "text": "Dashboard", "url": '{{ template "monitoring.dashboard" . }}'},
                    {"type": "button", "text": "Silence", "url": '{{ template "monitoring.silence" . }}'},
                ],
                "timeout": _TIMEOUT,
                **_trust(alerting),
            }
        ]
    }


def _email(alerting: Alerting, address: str, *, send_resolved: bool = True) -> dict[str, Any]:
    return {
        "email_configs": [
            {
                "to": address,
                "send_resolved": send_resolved,
                "headers": {"Subject": _TITLE},
                "text": _TEXT,
                "html": '{{ template "email.html" . }}',
                **({"tls_config": {"ca": alerting.ca}} if alerting.ca else {}),
            }
        ]
    }


def _webhook(alerting: Alerting, secret: str, *, send_resolved: bool) -> dict[str, Any]:
    config = {"url_file": f"{SECRETS}/{secret}", "send_resolved": send_resolved, "timeout": _TIMEOUT}
    return {"webhook_configs": [{**config, **_trust(alerting)}]}


def _opsgenie(alerting: Alerting, receiver: Receiver) -> dict[str, Any]:
    message = {
        "message": _TITLE,
        "description": _TEXT,
        "source": "{{ .CommonLabels.project }}-{{ .CommonLabels.stack }}",
        "entity": "{{ or .CommonLabels.instance .CommonLabels.component }}",
        "priority": "{{ .CommonLabels.priority }}",
        "tags": "{{ .CommonLabels.component }},{{ .CommonLabels.stack }}",
    }
    return _service("opsgenie", "api_key_file", message, alerting, receiver, **_api(receiver))


def _teams(alerting: Alerting, receiver: Receiver) -> dict[str, Any]:
    return _service("msteamsv2", "webhook_url_file", {"title": _TITLE, "text": _TEXT}, alerting, receiver)


def _telegram(alerting: Alerting, receiver: Receiver) -> dict[str, Any]:
    """A plain message: without a parse mode nothing in it is markup. Alertmanager cuts it to Telegram's length."""
    message = {"message": f"{_TITLE}\n\n{_TEXT}"}
    chat = {"chat_id": receiver.chat, "parse_mode": "", **_api(receiver)}
    return _service("telegram", "bot_token_file", message, alerting, receiver, **chat)


def _api(receiver: Receiver) -> dict[str, Any]:
    return {"api_url": receiver.url} if receiver.url else {}


def _service(
    kind: str, secret: str, message: Mapping[str, str], alerting: Alerting, receiver: Receiver, **more: Any
) -> dict[str, Any]:
    """A service as Alertmanager calls it, the key under which it reads the secret's file, and what it is to say."""
    config = {
        secret: f"{SECRETS}/{_secret_file(receiver)}",
        **more,
        "send_resolved": receiver.send_resolved,
        **message,
        **_trust(alerting),
    }
    return {f"{kind}_configs": [config]}
