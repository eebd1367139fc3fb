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
SECRETS = "/run/config"
_TEMPLATES = Path(__file__).parent / "templates"

# group_wait, group_interval, repeat_interval by priority: the more urgent, the sooner and the more often.
_PACE = {
    "P1": ("10s", "1m", "1h"),
    "P2": ("30s", "5m", "4h"),
    "P3": ("1m", "10m", "24h"),
}
# Components whose alerts are grouped among themselves within a priority.
_OWN_ROUTE = ("database", "websocket", "api_gateway")
# What runs on the Docker host in every stack, and what does where the backend runs there, too.
_ON_HOST = ("docker", "monitoring")
_BACKEND = ("database", "redis", "websocket", "api_gateway", "realtime", "business")
# Of anything that does not answer: ServiceDown, PostgreSQLDown, KongDown, ...
_DOWN = 'alertname=~".+Down"'


def alertmanager_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of the files below /etc/alertmanager, secrets apart."""
    files = {f"templates/{path.name}": path.read_text() for path in sorted(_TEMPLATES.glob("*.tmpl"))}
    files["alertmanager.yml"] = yaml.safe_dump(_configuration(settings), sort_keys=False, width=120)
    return files


def alertmanager_secrets(settings: Settings) -> dict[str, SecretStr]:
    """Name below SECRETS -> secret, for the secrets that are configured."""
    alerting = settings.alerting
    secrets = {
        "smtp_password": alerting.smtp_password,
        "slack_webhook_url": alerting.slack_webhook_url,
        "pagerduty_service_key": alerting.pagerduty_service_key,
        "heartbeat_url": alerting.heartbeat_url,
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
        **({"smtp_auth_password_file": f"{SECRETS}/smtp_password"} if alerting.smtp_password else {}),
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
                    # Just below the interval: with the whole of it, every second call is found to come too early.
                    "repeat_interval": "50s",
                },
                *(_priority_route(priority) for priority in _PACE),
            ],
        },
        "inhibit_rules": _inhibitions(settings),
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


def _inhibitions(settings: Settings) -> list[dict[str, Any]]:
    """What is kept quiet while something worse says the same.

    A label of `equal` that both sides lack counts as equal. No rule here silences the Watchdog, or a "...Down" by what
    is not the host.
    """
    on_host = _ON_HOST + (_BACKEND if settings.demo or settings.docker_network else ())
    host_down = ['alertname="ServiceDown"', 'component="system"']
    runs_on_it = f'component=~"{"|".join(on_host)}"'
    return [
        {
            # Also of alerts about a component as a whole, which have no instance: fast and slow burning budgets.
            "source_matchers": ['priority="P1"', 'component!=""'],
            "target_matchers": ['priority=~"P2|P3"'],
            "equal": ["component", "instance"],
        },
        {
            # It does not answer, or its exporter does not: what was measured of it is unknown, not wrong.
            "source_matchers": [_DOWN, 'component!=""', 'instance!=""'],
            "target_matchers": ['alertname!~".+Down"', 'priority=~"P1|P2|P3"'],
            "equal": ["component", "instance"],
        },
        {
            # Sums over all instances of a job miss the one that is down. A P1 over them is felt by users: it stays.
            "source_matchers": [_DOWN, 'component!=""', 'job!=""'],
            "target_matchers": ['instance=""', 'priority=~"P2|P3"'],
            "equal": ["component", "job"],
        },
        # The host is down, and so is what runs on it. What still measures something bad there (a P1 that is no
        # "...Down") shows that only node_exporter is, and stays.
        {"source_matchers": host_down, "target_matchers": [runs_on_it, _DOWN]},
        {"source_matchers": host_down, "target_matchers": [runs_on_it, 'priority=~"P2|P3"']},
    ]


def _pagerduty(alerting: Alerting) -> dict[str, Any]:
    if not alerting.pagerduty_service_key:
        return {}
    return {
        "pagerduty_configs": [
            {
                "service_key_file": f"{SECRETS}/pagerduty_service_key",
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
                "api_url_file": f"{SECRETS}/slack_webhook_url",
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
    return {"webhook_configs": [{"url_file": f"{SECRETS}/heartbeat_url", "send_resolved": False}]}
