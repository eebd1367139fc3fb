"""What fires, since when, who is told, and what keeps it quiet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.alerts.client import Client


@dataclass(frozen=True)
class Row:
    """One alert. `receivers` are the names that its routes lead to; `quiet` says why they are not told, else empty."""

    name: str
    priority: str
    where: str
    since: datetime
    receivers: tuple[str, ...]
    quiet: str


def overview(client: Client) -> list[Row]:
    """Every alert that Alertmanager has, the urgent and older ones first."""
    alerts = client.alerts()
    silences = {silence["id"]: silence for silence in client.silences()}
    names = {alert["fingerprint"]: alert["labels"].get("alertname", "?") for alert in alerts}
    rows = [_row(alert, silences, names) for alert in alerts]
    return sorted(rows, key=lambda row: (row.priority, row.since, row.name))


def _row(alert: Mapping[str, Any], silences: Mapping[str, Any], names: Mapping[str, str]) -> Row:
    labels, status = alert["labels"], alert["status"]
    why = [f"silenced by {_silence(silences.get(one), one)}" for one in status["silencedBy"]]
    why += [f"inhibited by {names.get(one, 'an alert that has ended')}" for one in status["inhibitedBy"]]
    why += [f"muted at this time ({one})" for one in status.get("mutedBy") or ()]
    return Row(
        name=labels.get("alertname", "?"),
        priority=labels.get("priority", "-"),
        where=", ".join(filter(None, (labels.get("component"), labels.get("instance")))),
        since=datetime.fromisoformat(alert["startsAt"]),
        receivers=tuple(receiver["name"] for receiver in alert["receivers"]),
        quiet="; ".join(why),
    )


def _silence(silence: Mapping[str, Any] | None, known: str) -> str:
    return f"{known[:8]} ({silence['createdBy']}: {silence['comment']})" if silence else known[:8]
