"""What the tests of this directory share: stacks with receivers, and alerts as the rules make them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.settings import Settings, load
from tests.services import Authority, Mailbox, Services
from tests.unit.test_settings import SECRETS

DEMO = {"demo": "true", **SECRETS}
KINDS = ("slack", "pagerduty", "email", "webhook", "opsgenie", "teams", "telegram")
PRIMARY, REPLICA = "postgres:5432", "postgres-replica:5432"


def settings(values: Mapping[str, str], **changes: Any) -> Settings:
    """The settings of a stack of these keys; what is not text is given as JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}
    return load("dev", {**values, **texts}, environment={}, dotenv=Path("/nonexistent"))


def labels(name: str, priority: str, component: str, **more: str) -> dict[str, str]:
    """The labels of an alert as the rules make them."""
    return {"alertname": name, "priority": priority, "component": component, **more}


WATCHDOG = labels("Watchdog", "none", "monitoring", service="prometheus")


def told(services: Services, authority: Authority, box: Mailbox | None = None, **changes: Any) -> Settings:
    """A demo stack whose receivers are the test's services: paths /slack, /pagerduty and /heartbeat, and a mailbox."""
    keys: dict[str, Any] = {
        "slackWebhookUrl": f"{services.url}/slack",
        "pagerdutyUrl": f"{services.url}/pagerduty",
        "heartbeatUrl": f"{services.url}/heartbeat",
        "receiverCa": authority.pem,
    }
    return settings(DEMO, **{**keys, **(box.keys() if box else {}), **changes})


def further(kind: str, **changes: Any) -> dict[str, Any]:
    """A further receiver of a kind, as it is configured; its secret is `team`."""
    needed: dict[str, dict[str, Any]] = {"email": {"to": "team@example.org"}, "telegram": {"chat": -100123}}
    return {"name": f"team-{kind}", "kind": kind, "secret": "team", **needed.get(kind, {}), **changes}
