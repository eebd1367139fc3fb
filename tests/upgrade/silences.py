"""What is put into Alertmanager before an upgrade, and is to be there after it."""

from datetime import UTC, datetime, timedelta
from typing import Any


def silence() -> dict[str, Any]:
    """A silence of two hours, from now on, as Alertmanager's API takes it."""
    now = datetime.now(UTC)
    return {
        "matchers": [{"name": "alertname", "value": "Upgraded", "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=2)).isoformat(),
        "createdBy": "upgrade-test",
        "comment": "is to survive",
    }
