"""Changes of alerts and recording rules, against the cases of tests/rules by promtool."""

import time
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from bench.mutation.cases import Case, Place, Rules, name_of, read_cases
from bench.mutation.changes import Change, changes
from bench.mutation.kept import Kept, key_of
from bench.mutation.mutant import Mutant
from bench.mutation.promtool import Document, accepted, problems
from config.prometheus import prometheus_files
from tests.rules.reading import dev

ORDERS = ("recordings", "alerts")
"""Prometheus may evaluate either first, so a change is noticed where a case fails in one of the orders."""
# What is made from the jobs and the images is held by tests/rules/test_absent.py and test_support.py.
_MADE = ("absent.yml", "support.yml")


def rules_of_the_stack() -> Rules:
    """All rules of the stack that the cases are written for."""
    return Rules({path: text for path, text in prometheus_files(dev()).items() if path.startswith("rules/")})


def rule_mutants(wanted: Collection[str], deadline: float) -> Iterator[Mutant]:
    """Every change of the rules in the files `wanted` (such as redis_alerts.yml; none: all), tried or known.

    Ends early, with what it has, at `deadline` (of time.monotonic). Raises ValueError where a case fails without any
    change: then nothing would be learnt from it.
    """
    rules, cases, kept = rules_of_the_stack(), read_cases(), Kept("rules")
    for place, mine in _places(rules, cases, wanted):
        found = list(changes(rules.by_place[place]))
        left = [change for change in found if kept.get(_key(rules, mine, place, change)) is None]
        if left and time.monotonic() > deadline:
            return
        if left:
            _check_unchanged(rules, mine, place)
            for change, noticed in zip(left, _noticed(rules, mine, place, left), strict=True):
                kept.put(_key(rules, mine, place, change), noticed)
        for change in found:
            noticed = bool(kept.get(_key(rules, mine, place, change)))
            yield Mutant(place.file.removeprefix("rules/"), rules.name_at(place), change.what, noticed)


def changes_of(
    rules: Rules, cases: Sequence[Case], wanted: Collection[str]
) -> Iterator[tuple[Place, list[Case], Change, bool | None]]:
    """Each change, the cases that reach it, and whether one of them noticed it, as far as that is known already."""
    kept = Kept("rules")
    for place, mine in _places(rules, cases, wanted):
        for change in changes(rules.by_place[place]):
            yield place, mine, change, kept.get(_key(rules, mine, place, change))


def _places(rules: Rules, cases: Sequence[Case], wanted: Collection[str]) -> Iterator[tuple[Place, list[Case]]]:
    """The rules in the files `wanted` (none: all), and the cases that read each."""
    for place in rules.by_place:
        file = place.file.removeprefix("rules/")
        if file not in _MADE and (not wanted or file in wanted):
            yield place, [case for case in cases if place in rules.read_by(case)]


def _key(rules: Rules, cases: Sequence[Case], place: Place, change: Change) -> str:
    return key_of(*(_files(rules, cases, place, change, order) for order in ORDERS))


def _noticed(rules: Rules, cases: Sequence[Case], place: Place, found: Sequence[Change]) -> list[bool]:
    """Whether each change is noticed. One that Prometheus refuses is: such a file never comes into force."""
    alive = list(range(len(found)))
    # The short cases first: what they notice need not be shown to those that last for days.
    for order in ORDERS:
        for some in sorted(_by_file(cases), key=lambda some: max(case.length for case in some)):
            pairs = [rules.files(some, {place: found[number].rule}, order) for number in alive]
            alive = [number for number, problem in zip(alive, problems(pairs), strict=True) if not problem]
    refused = {number for number in alive if not accepted({"groups": [{"name": "a", "rules": [found[number].rule]}]})}
    return [number not in alive or number in refused for number in range(len(found))]


def _check_unchanged(rules: Rules, cases: Sequence[Case], place: Place) -> None:
    unchanged = Change(rules.by_place[place], "nothing")
    for order in ORDERS:
        pairs = _files(rules, cases, place, unchanged, order)
        for problem in problems(pairs):
            if problem:
                raise ValueError(f"a case of {name_of(unchanged.rule)} fails without any change:\n{problem}")


def _files(
    rules: Rules, cases: Sequence[Case], place: Place, change: Change, order: str
) -> list[tuple[Document, Document]]:
    """What promtool is to run: a pair of files for each file of cases."""
    return [rules.files(some, {place: change.rule}, order) for some in _by_file(cases)]


def _by_file(cases: Sequence[Case]) -> list[list[Case]]:
    return [list(some) for _, some in groupby(cases, key=lambda case: case.file)]
