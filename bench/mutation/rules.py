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

# Either may come first, so a change is noticed where a case fails in one of the orders.
_ORDERS = ("recordings", "alerts")


def rule_mutants(wanted: Collection[str], deadline: float) -> Iterator[Mutant]:
    """Every change of the rules in the files `wanted` (such as redis_alerts.yml; none: all), tried or known.

    Ends early, with what it has, at `deadline` (of time.monotonic). Raises ValueError where a case fails without any
    change: then nothing would be learnt from it.
    """
    rules = Rules({path: text for path, text in prometheus_files(dev()).items() if path.startswith("rules/")})
    cases = read_cases()
    kept = Kept("rules")
    for place, rule in rules.by_place.items():
        file = place.file.removeprefix("rules/")
        mine = [case for case in cases if place in rules.read_by(case)]
        # What is made from the jobs is held by tests/rules/test_absent.py and test_support.py.
        if file in ("absent.yml", "support.yml") or (wanted and file not in wanted):
            continue
        found = list(changes(rule))
        keys = [key_of(*(_files(rules, mine, place, change, order) for order in _ORDERS)) for change in found]
        left = [change for key, change in zip(keys, found, strict=True) if kept.get(key) is None]
        if left and time.monotonic() > deadline:
            return
        if left:
            _check_unchanged(rules, mine, place)
            noticed = dict(zip(map(id, left), _noticed(rules, mine, place, left), strict=True))
            for key, change in zip(keys, found, strict=True):
                if id(change) in noticed:
                    kept.put(key, noticed[id(change)])
        for key, change in zip(keys, found, strict=True):
            yield Mutant(file, name_of(rule), change.what, bool(kept.get(key)))


def _noticed(rules: Rules, cases: Sequence[Case], place: Place, found: Sequence[Change]) -> list[bool]:
    """Whether each change is noticed. One that Prometheus refuses is: such a file never comes into force."""
    alive = list(range(len(found)))
    for order in _ORDERS:
        pairs = [(number, pair) for number in alive for pair in _files(rules, cases, place, found[number], order)]
        said = problems([pair for _, pair in pairs])
        failed = {number for (number, _), problem in zip(pairs, said, strict=True) if problem}
        alive = [number for number in alive if number not in failed]
    return [number not in alive or not accepted({"groups": [_alone(found[number])]}) for number in range(len(found))]


def _alone(change: Change) -> Document:
    return {"name": "alone", "rules": [change.rule]}


def _check_unchanged(rules: Rules, cases: Sequence[Case], place: Place) -> None:
    unchanged = Change(rules.by_place[place], "nothing")
    for order in _ORDERS:
        pairs = _files(rules, cases, place, unchanged, order)
        for problem in problems(pairs):
            if problem:
                raise ValueError(f"a case of {name_of(unchanged.rule)} fails without any change:\n{problem}")


def _files(
    rules: Rules, cases: Sequence[Case], place: Place, change: Change, order: str
) -> list[tuple[Document, Document]]:
    """What promtool is to run: a pair of files for each file of cases."""
    by_file = groupby(cases, key=lambda case: case.file)
    return [rules.files(list(some), {place: change.rule}, order) for _, some in by_file]
