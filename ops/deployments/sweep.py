"""Ephemeral stacks that have had their time, or that are only half there.

Only `pr-<n>` is ephemeral. What is protected stays. A stack that this state does not know may be somebody else's, who
keeps his state elsewhere: it has the same time as every other, counted from its newest container. One that only the
state knows has nothing left to lose, and an hour is enough to be sure that nobody is just making it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from config.stack_name import EPHEMERAL
from ops.deployments.overview import StackNow

_BEING_MADE = timedelta(hours=1)


@dataclass(frozen=True)
class Doomed:
    """A stack that is to go, and why, in words."""

    stack: StackNow
    why: str


def doomed(stacks: Iterable[StackNow], now: datetime, limit: timedelta, only: str = "*") -> Iterator[Doomed]:
    """Which stacks have to go, of those whose names match the pattern `only`: older than `limit`, or stranded."""
    for stack in stacks:
        if not EPHEMERAL.fullmatch(stack.name) or not fnmatchcase(stack.name, only):
            continue
        if stack.protected or not stack.answers:
            continue
        # What has no date at all is not in use: a volume that is left, a record without an update.
        age = now - stack.seen if stack.seen else timedelta.max
        if stack.known and not stack.there and age > min(limit, _BEING_MADE):
            yield Doomed(stack, "stranded: the state knows it, and the Docker engine has nothing of it")
        elif age > limit and not stack.known:
            since = f"its newest container is {spoken(age)} old" if stack.seen else "only volumes or networks are left"
            yield Doomed(stack, f"stranded: this state does not know it, and {since}")
        elif age > limit:
            yield Doomed(stack, f"deployed {spoken(age)} ago")


def spoken(age: timedelta) -> str:
    """An age in its largest two units: `3d 4h`, `5h 12m`, `8m`, `20s`."""
    seconds = max(int(age.total_seconds()), 0)
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, length)
        if number or parts:
            parts.append(f"{number}{unit}" if number else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or "0s"
