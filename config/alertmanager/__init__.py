"""Alertmanager's configuration: who is told about what, how often, and what is kept quiet.

P1 goes to PagerDuty, Slack and email; P2 to Slack and email; P3 to Slack. A receiver that is not configured is left
out with a warning and never breaks the rest.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from config.settings import Alerting, Settings

DIRECTORY = "/etc/alertmanager"
_TEMPLATES = Path(__file__).parent / "templates"

# group_wait, group_interval, repeat_interval by priority: the more urgent, the sooner and the more often.
_PACE = {
    "P1": ("10s", "1m", "1h"),
    "P2": ("30s", "5m", "4h"),
    "P3": ("1m", "10m", "24h"),
}
# Components whose alerts are grouped among themselves within a priority.
_OWN_ROUTE = ("database", "websocket", "api_gateway")
# A missing exporter or a component that is down silences what depends on it: source alerts -> what they silence.
_HOST_COMPONENTS = "database|redis|websocket|api_gateway|realtime|business|docker"


def alertmanager_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of the files below /etc/alertmanager, secrets apart."""
    files = {f"templates/{path.name}": path.read_text() for path in sorted(_TEMPLATES.glob("*.tmpl"))}
    files["alertmanager.yml"] = yaml.safe_dump(_configuration(settings), sort_keys=False, width=120)
    return files


def alertmanager_secrets(settings: Settings) -> dict[str, SecretStr]:
    """Relative path -> secret, for the secrets that are configured."""
    alerting = settings.alerting
    secrets = {
        "secrets/smtp_password": alerting.smtp_password,
        "secrets/slack_webhook_url": alerting.slack_webhook_url,
        "secrets/pagerduty_service_key": alerting.pagerduty_service_key,
        "secrets/heartbeat_url": alerting.heartbeat_url,
    }
    return {path: secret for path, secret in secrets.items() if secret}


def warnings(settings: Settings) -> list[str]:
    """A line for every receiver that is left out, with what to set."""
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


def _configuration(settings: Settings) -> dict[str, Any]:
    alerting = settings.alerting
    smtp = {
        "smtp_smarthost": f"{alerting.smtp_host}:{alerting.smtp_port}",
        "smtp_from": alerting.smtp_from,
        **({"smtp_auth_username": alerting.smtp_username} if alerting.smtp_username else {}),
        **({"smtp_auth_password_file": f"{DIRECTORY}/secrets/smtp_password"} if alerting.smtp_password else {}),
    }
    return {
        "global": {"resolve_timeout": "5m", **(smtp if alerting.smtp_host else {})},
        "templates": [f"{DIRECTORY}/templates/*.tmpl"],
        "route": {
            # What carries no priority (somebody's own rule) must not be lost: it goes where P3 goes.
            "receiver": "P3",
            "group_by": ["alertname", "component", "instance"],
            "routes": [
                {
                    "matchers": ['alertname="Watchdog"'],
                    "receiver": "heartbeat",
                    "group_wait": "0s",
                    "group_interval": "1m",
                    "repeat_interval": "1m",
                },
                *(_priority_route(priority) for priority in _PACE),
            ],
        },
        "inhibit_rules": _inhibitions(),
        "receivers": [
            {"name": "heartbeat", **_heartbeat(alerting)},
            {
                "name": "P1",
                **_pagerduty(alerting),
                **_slack(alerting),
                **_email(alerting, alerting.email_critical),
            },
            {"name": "P2", **_slack(alerting), **_email(alerting, alerting.email_high)},
            {"name": "P3", **_slack(alerting)},
        ],
    }


def _priority_route(priority: str) -> dict[str, Any]:
    group_wait, group_interval, repeat_interval = _PACE[priority]
    return {
        "matchers": [f'priority="{priority}"'],
        "receiver": priority,
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": repeat_interval,
        # One notification for each component in trouble, rather than one for each alert.
        "routes": [
            {"matchers": [f'component="{component}"'], "receiver": priority, "group_by": ["component", "instance"]}
            for component in _OWN_ROUTE
        ],
    }


def _inhibitions() -> list[dict[str, Any]]:
    """`equal` labels that both sides lack count as equal, so each rule also matches that they are present."""
    return [
        {
            "source_matchers": ['priority="P1"', 'instance!=""', 'component!=""'],
            "target_matchers": ['priority=~"P2|P3"'],
            "equal": ["component", "instance"],
        },
        {
            # The host is down: everything on it is, too.
            "source_matchers": ['alertname="ServiceDown"', 'component="system"'],
            "target_matchers": [f'component=~"{_HOST_COMPONENTS}"'],
        },
        {
            # An exporter is missing: what it would have measured is unknown, not wrong.
            "source_matchers": ['alertname="ServiceDown"', 'component!="system"', 'instance!=""'],
            "target_matchers": ['alertname!="ServiceDown"', 'alertname!~".*Down"'],
            "equal": ["component", "instance"],
        },
    ]


def _pagerduty(alerting: Alerting) -> dict[str, Any]:
    if not alerting.pagerduty_service_key:
        return {}
    return {
        "pagerduty_configs": [
            {
                "service_key_file": f"{DIRECTORY}/secrets/pagerduty_service_key",
                "send_resolved": True,
                "description": '{{ template "monitoring.title" . }}',
                "details": {"alerts": '{{ template "monitoring.text" . }}'},
            }
        ]
    }


def _slack(alerting: Alerting) -> dict[str, Any]:
    if not alerting.slack_webhook_url:
        return {}
    return {
        "slack_configs": [
            {
                "api_url_file": f"{DIRECTORY}/secrets/slack_webhook_url",
                "send_resolved": True,
                "title": '{{ template "monitoring.title" . }}',
                "text": '{{ template "monitoring.text" . }}',
            }
        ]
    }


def _email(alerting: Alerting, address: str) -> dict[str, Any]:
    if not (alerting.smtp_host and address):
        return {}
    return {
        "email_configs": [
            {
                "to": address,
                "send_resolved": True,
                "headers": {"Subject": '{{ template "monitoring.title" . }}'},
                "text": '{{ template "monitoring.text" . }}',
                "html": "",
            }
        ]
    }


def _heartbeat(alerting: Alerting) -> dict[str, Any]:
    if not alerting.heartbeat_url:
        return {}
    return {"webhook_configs": [{"url_file": f"{DIRECTORY}/secrets/heartbeat_url", "send_resolved": False}]}
