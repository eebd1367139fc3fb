"""Asking Alertmanager: alerts, silences, and how its notifications went.

The API is version 2, which Alertmanager describes in api/v2/openapi.yaml of its repository.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from ops.errors import OpsError

_TIMEOUT = 10
_SERIES = re.compile(r"^(\w+)\{(.*)\} (\S+)$")


class Way(NamedTuple):
    """One way out: the receiver, and the service by which it is told (`slack`)."""

    receiver: str
    integration: str


@dataclass(frozen=True)
class Count:
    """Requests made since Alertmanager started, and how many of them failed."""

    requests: int
    failed: int


class Client:
    """The Alertmanager at an address. Every method raises OpsError where it does not answer, or refuses."""

    def __init__(self, url: str) -> None:
        self._url = url

    def alerts(self, *matchers: str) -> list[dict[str, Any]]:
        """The alerts that all matchers hold for, silenced and inhibited ones, too, from the API."""
        found: list[dict[str, Any]] = self._ask("GET", "/api/v2/alerts", params={"filter": list(matchers)}).json()
        return found

    def silences(self) -> list[dict[str, Any]]:
        """Every silence that has not ended, from the API."""
        found: list[dict[str, Any]] = self._ask("GET", "/api/v2/silences").json()
        return [silence for silence in found if silence["status"]["state"] != "expired"]

    def fire(self, labels: Mapping[str, str], annotations: Mapping[str, str], end: datetime) -> None:
        """Hand over an alert that began now and lasts until `end`."""
        now = datetime.now(UTC)
        alert = {"labels": labels, "annotations": annotations, "startsAt": stamp(min(now, end)), "endsAt": stamp(end)}
        self._ask("POST", "/api/v2/alerts", json=[alert])

    def silence(
        self, matchers: Sequence[Mapping[str, Any]], *, end: datetime, author: str, reason: str, known: str = ""
    ) -> str:
        """Keep quiet what all matchers hold for until `end`; `known`: the silence that this replaces. Gives the id."""
        body = {
            "matchers": list(matchers),
            "startsAt": stamp(datetime.now(UTC)),
            "endsAt": stamp(end),
            "createdBy": author,
            "comment": reason,
            **({"id": known} if known else {}),
        }
        return str(self._ask("POST", "/api/v2/silences", json=body).json()["silenceID"])

    def end(self, silence: str) -> None:
        """End a silence now."""
        self._ask("DELETE", f"/api/v2/silence/{silence}")

    def counts(self) -> dict[Way, Count]:
        """How the notifications of each way out went, from Alertmanager's own metrics."""
        found: dict[str, dict[Way, int]] = {"": {}, "failed_": {}}
        for line in self._ask("GET", "/metrics").text.splitlines():
            match = _SERIES.match(line)
            kind = match and re.fullmatch(r"alertmanager_notification_requests_(failed_)?total", match.group(1))
            if match and kind:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2)))
                way = Way(labels.get("receiver_name", ""), labels["integration"])
                found[kind.group(1) or ""][way] = int(float(match.group(3)))
        return {way: Count(requests, found["failed_"].get(way, 0)) for way, requests in found[""].items()}

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = httpx.request(method, f"{self._url}{path}", timeout=_TIMEOUT, **options)
        except httpx.HTTPError as error:
            raise OpsError(f"Alertmanager does not answer at {self._url}: {error}; is the stack up?") from error
        if answer.is_error:
            raise OpsError(f"Alertmanager refused {method} {path} ({answer.status_code}): {answer.text.strip()}")
        return answer


def stamp(when: datetime) -> str:
    """A time as the API writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
