"""Silences for planned work: by whom, why, until when, and only for what exists."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from config.durations import seconds
from config.settings import Settings
from ops.alerts.client import Client
from ops.errors import OpsError

_MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|(.*))', re.DOTALL)


@dataclass(frozen=True)
class Matcher:
    """What a label must be: `operator` is one of = != =~ !~."""

    label: str
    operator: str
    value: str

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "Matcher":
        """A matcher that Alertmanager's API has `written`."""
        operators = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
        return cls(written["name"], operators[written["isEqual"], written["isRegex"]], written["value"])

    def __str__(self) -> str:
        """As Alertmanager writes it for people."""
        return f'{self.label}{self.operator}"{self.value}"'

    @property
    def api(self) -> dict[str, Any]:
        """As Alertmanager's API writes it."""
        regex, equal = self.operator.endswith("~"), self.operator.startswith("=")
        return {"name": self.label, "value": self.value, "isRegex": regex, "isEqual": equal}

    def holds(self, value: str) -> bool:
        """Whether a label of this value is matched by the positive form of the operator."""
        return bool(re.fullmatch(self.value, value)) if self.operator.endswith("~") else value == self.value


def add(settings: Settings, matchers: Iterable[str], *, duration: str, author: str, reason: str) -> str:
    """Silence what all matchers hold for, for a duration such as 2h; gives the silence's id.

    Raises OpsError (exit code 2) for a matcher that is malformed, or that nothing in the stack could ever match.
    """
    parsed = [parse(matcher) for matcher in matchers]
    if not parsed:
        raise OpsError("name at least one matcher, such as alertname=KongHighLatency or component=database", code=2)
    if not reason.strip():
        raise OpsError("say why with --reason: whoever is on call reads it", code=2)
    try:
        length = timedelta(seconds=seconds(duration))
    except ValueError as error:
        raise OpsError(f"--for: {error}", code=2) from None
    for matcher in parsed:
        check(matcher, _known(settings, matcher.label))
    end = datetime.now(UTC) + length
    return Client(settings.alertmanager_url).silence(
        [matcher.api for matcher in parsed], end=end, author=author, reason=reason
    )


def end(settings: Settings, beginning: str) -> str:
    """End the one silence whose id begins so; gives the id. Raises OpsError where there is none, or more than one."""
    client = Client(settings.alertmanager_url)
    ids = [silence["id"] for silence in client.silences()]
    found = [one for one in ids if one.startswith(beginning)]
    if len(found) != 1 or not beginning:
        known = ", ".join(one[:8] for one in ids) or "none"
        raise OpsError(f"{len(found)} silences have an id that begins with {beginning!r}; there are: {known}", code=2)
    client.end(found[0])
    return str(found[0])


def parse(text: str) -> Matcher:
    """A matcher such as `component="database"`, `component=database` or `alertname=~"Kong.*"`; else OpsError."""
    match = _MATCHER.fullmatch(text.strip())
    if not match:
        raise OpsError(f"{text!r} is no matcher such as component=database or alertname=~Kong.*", code=2)
    label, operator, quoted, plain = match.groups()
    matcher = Matcher(label, operator, plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    if operator.endswith("~"):
        try:
            re.compile(matcher.value)
        except re.error as error:
            raise OpsError(f"{text!r}: not a regular expression: {error}", code=2) from None
    return matcher


def check(matcher: Matcher, known: set[str]) -> None:
    """Raise OpsError (exit code 2) where no value of the label (`known`) is one that the matcher speaks of."""
    if not known:
        raise OpsError(f"no alert and no series has the label {matcher.label}; nothing would be silenced", code=2)
    if matcher.value == "" or any(matcher.holds(value) for value in known):
        return
    close = difflib.get_close_matches(matcher.value, known, n=3) or sorted(known)[:5]
    raise OpsError(
        f"nothing has {matcher.label}{matcher.operator}{matcher.value!r}; there is, for example: {', '.join(close)}",
        code=2,
    )


def _known(settings: Settings, label: str) -> set[str]:
    """The values that a label has on rules, on alerts that fire, and on the series that alerts are made of."""
    url = settings.prometheus.url
    try:
        rules = httpx.get(f"{url}/api/v1/rules", params={"type": "alert"}, timeout=10).raise_for_status().json()
        values = httpx.get(f"{url}/api/v1/label/{label}/values", timeout=10).raise_for_status().json()["data"]
    except httpx.HTTPError as error:
        raise OpsError(f"Prometheus does not answer at {url}, so the matchers cannot be checked: {error}") from error
    of_rules = [
        {**rule["labels"], "alertname": rule["name"]} for group in rules["data"]["groups"] for rule in group["rules"]
    ]
    of_alerts = [alert["labels"] for alert in Client(settings.alertmanager_url).alerts()]
    found = {labels[label] for labels in [*of_rules, *of_alerts] if label in labels}
    return found | set(values) | ({settings.project} if label == "project" else set())
