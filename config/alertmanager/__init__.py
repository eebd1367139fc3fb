"""Alertmanager's configuration: who is told about what, how often, and what is kept quiet.

P1 goes to PagerDuty, Slack and email; P2 to Slack and email; P3 to Slack. A receiver that is not configured is left
out with a warning and never breaks the rest.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from config.alertmanager.limits import limits_template
from config.alertmanager.receivers import SECRETS, receivers, secrets, smtp, warnings
from config.alertmanager.routes import inhibitions, route, time_intervals
from config.settings import Settings

__all__ = ["DIRECTORY", "FLAGS", "SECRETS", "alertmanager_files", "alertmanager_secrets", "warnings"]

DIRECTORY = "/etc/alertmanager"
FLAGS = (
    # One instance: it has no peers to gossip with.
    "--cluster.listen-address=",
    # Silences and the notification log are on disk that soon. What SIGKILL takes (15 minutes by default) would be sent
    # once more; they are small files.
    "--data.maintenance-interval=1s",
    # Which receiver fails, and not only by which service.
    "--enable-feature=receiver-name-in-metrics",
)
"""Arguments of Alertmanager that notifications depend on."""
_TEMPLATES = Path(__file__).parent / "templates"


def alertmanager_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of the files below /etc/alertmanager, secrets apart."""
    files = {f"templates/{path.name}": path.read_text() for path in sorted(_TEMPLATES.glob("*.tmpl"))}
    files["templates/limits.tmpl"] = limits_template(settings)
    files["alertmanager.yml"] = yaml.safe_dump(_configuration(settings), sort_keys=False, width=120)
    return files


def alertmanager_secrets(settings: Settings) -> dict[str, SecretStr]:
    """Name below SECRETS -> secret, for the secrets that are configured."""
    return secrets(settings)


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "global": {"resolve_timeout": "5m", **smtp(settings)},
        "templates": [f"{DIRECTORY}/templates/*.tmpl"],
        "route": route(settings),
        **time_intervals(settings),
        "inhibit_rules": inhibitions(settings),
        "receivers": receivers(settings),
    }
