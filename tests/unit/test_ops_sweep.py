"""Which stacks have had their time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops.deployments.overview import StackNow
from ops.deployments.revision import Revision
from ops.deployments.sweep import doomed, spoken

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS = timedelta(days=3)


def _stack(name: str, hours: float | None, **changes: object) -> StackNow:
    """A stack that runs, whose last sign of life was so many hours ago."""
    seen = None if hours is None else NOW - timedelta(hours=hours)
    running = StackNow(
        *(name, "", True, True, False, 14, 14, True, seen, seen, seen),
        Revision("", changed=False),
        "validated",
        (),
    )
    return replace(running, **changes)  # type: ignore[arg-type]


def _going(*stacks: StackNow, only: str = "*") -> dict[str, str]:
    return {each.stack.name: each.why for each in doomed(stacks, NOW, DAYS, only)}


def test_a_pull_requests_stack_goes_when_it_is_older_than_the_limit() -> None:
    assert _going(_stack("pr-1", 71), _stack("pr-2", 76)) == {"pr-2": "deployed 3d 4h ago"}


@pytest.mark.parametrize("name", ["dev", "prod", "pr-", "pr-1-test", "xpr-1"])
def test_no_other_stack_ever_goes(name: str) -> None:
    assert _going(_stack(name, 9999), _stack(name, None, known=False), _stack(name, 9999, there=False)) == {}


def test_what_is_protected_or_cannot_be_seen_stays() -> None:
    assert _going(_stack("pr-1", 9999, protected=True), _stack("pr-2", 9999, answers=False, there=False)) == {}


def test_what_only_the_state_knows_goes_after_an_hour() -> None:
    gone = {"there": False, "containers": 0, "running": 0}
    assert list(_going(_stack("pr-1", 0.9, **gone), _stack("pr-2", 1.1, **gone), _stack("pr-3", None, **gone))) == [
        "pr-2",
        "pr-3",
    ]


def test_what_this_state_does_not_know_has_the_same_time_as_every_other() -> None:
    """Somebody else may run it."""
    unknown = [_stack("pr-1", 71, known=False), _stack("pr-2", 73, known=False), _stack("pr-3", None, known=False)]
    assert _going(*unknown) == {
        "pr-2": "stranded: this state does not know it, and its newest container is 3d 1h old",
        "pr-3": "stranded: this state does not know it, and only volumes or networks are left",
    }


def test_a_pattern_limits_what_goes() -> None:
    assert list(_going(_stack("pr-41", 99), _stack("pr-51", 99), only="pr-4*")) == ["pr-41"]


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=20), "20s"),
        (timedelta(minutes=8), "8m"),
        (timedelta(hours=5, minutes=12, seconds=9), "5h 12m"),
        (timedelta(days=3), "3d"),
        (timedelta(days=3, minutes=5), "3d"),
        (timedelta(days=3, hours=4), "3d 4h"),
    ],
)
def test_an_age_is_said_in_its_largest_two_units(age: timedelta, words: str) -> None:
    assert spoken(age) == words
