"""What a person writes for the keys `receivers` and `muteTimes`: further receivers, and times of quiet."""

import re
import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from config.values import Email, Url, matching

# The stack's own receivers have these names.
OWN_RECEIVERS = ("P1", "P1-email", "P2", "P2-email", "P3", "heartbeat", "smoke")
# In the order of Alertmanager, whose ranges do not go over the end of the week.
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TIMES = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or value in OWN_RECEIVERS:
        raise ValueError("must be at most 40 of a-z, 0-9 and '-', and none of the stack's own receivers")
    return value


def _times(value: str) -> str:
    match = _TIMES.fullmatch(value)
    if not match or match.group(1) >= match.group(2):
        raise ValueError("must be HH:MM-HH:MM within one day, such as 20:00-24:00; a night is two of these")
    return value


def _weekdays(value: str) -> str:
    days = value.split(":")
    if len(days) > 2 or not set(days) <= set(WEEKDAYS) or sorted(days, key=WEEKDAYS.index) != days:
        raise ValueError("must be a day such as saturday, or a range from sunday on, such as monday:friday")
    return value


def _location(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("must be a time zone such as UTC or Europe/Berlin")
    return value


def _below_p1(value: str) -> str:
    if value == "P1":
        raise ValueError("a P1 cannot be muted; for planned work there is: ops silence add")
    if value not in ("P2", "P3"):
        raise ValueError("must be P2 or P3")
    return value


Name = Annotated[str, AfterValidator(_name)]
Matcher = Annotated[
    str,
    matching(
        r'[a-zA-Z_]\w*\s*(=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"',
        'must be a matcher as Alertmanager writes it, such as component="database" or team=~"a|b"',
    ),
]


class _Entry(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, hide_input_in_errors=True)


class Receiver(_Entry):
    """One more receiver, beside the stack's own, which still get theirs.

    It gets the alerts that all `matchers` hold for (none: every alert). Its secret (the webhook's address, the service
    key, the bot's token) stands in `receiverSecrets` under the key `secret`, or else under its name.
    """

    name: Name
    kind: Literal["slack", "pagerduty", "email", "webhook", "opsgenie", "teams", "telegram"]
    matchers: tuple[Matcher, ...] = ()
    secret: str = ""
    to: Email = Field("", description="Address, of an email receiver.")
    chat: int = Field(0, description="Number of the chat, of a Telegram receiver.")
    url: Url = Field("", description="Where the service's API is, if not at its maker: PagerDuty, Opsgenie, Telegram.")
    send_resolved: bool = True

    @property
    def secret_key(self) -> str:
        """Its key in `receiverSecrets`."""
        return self.secret or self.name


class MuteTime(_Entry):
    """Times at which P2, P3 or both are kept back: only those that all `matchers` hold for, where there are any."""

    name: Name
    priorities: tuple[Annotated[str, AfterValidator(_below_p1)], ...] = ("P2", "P3")
    matchers: tuple[Matcher, ...] = ()
    weekdays: tuple[Annotated[str, AfterValidator(_weekdays)], ...] = ()
    times: tuple[Annotated[str, AfterValidator(_times)], ...] = ()
    location: Annotated[str, AfterValidator(_location)] = "UTC"
