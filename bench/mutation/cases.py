"""The cases of the rules, and which of them have to do with a rule.

A case that cannot notice a change need not run, and a rule that nothing in a case reads need not be evaluated: that is
what makes it quick. What a case reads are the alerts and series that it asks for, and what their rules read in turn.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from bench.mutation.changes import Rule
from bench.mutation.promtool import Document
from config.durations import seconds
from config.project import ROOT

CASES = ROOT / "tests/rules/cases"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Place:
    """Where a rule stands: its file, and its numbers of group and rule from 0 on."""

    file: str
    group: int
    rule: int


@dataclass(frozen=True, eq=False)
class Case:
    """One test of a file of cases: `head` is what the file says for all of its tests, `test` the test itself."""

    file: str
    number: int
    head: Mapping[str, Any]
    test: Mapping[str, Any]

    @cached_property
    def length(self) -> int:
        """The moment of its last question, in seconds."""
        asked = [*(self.test.get("alert_rule_test") or ()), *(self.test.get("promql_expr_test") or ())]
        return max(int(seconds(str(one["eval_time"]))) for one in asked)

    @cached_property
    def asks(self) -> frozenset[str]:
        """The names of the alerts and series that it asks for."""
        alerts = {one["alertname"] for one in self.test.get("alert_rule_test") or ()}
        series = [one["expr"] for one in self.test.get("promql_expr_test") or ()]
        quoted = {name for expr in series if "ALERTS" in expr for name in re.findall(r'alertname="(\w+)"', expr)}
        return frozenset(alerts | quoted | {name for expr in series for name in _NAME.findall(expr)})


def read_cases(directory: Path = CASES) -> list[Case]:
    """Every case of the files in a directory."""
    found = []
    for path in sorted(directory.glob("*.yml")):
        document = yaml.safe_load(path.read_text())
        head = {key: value for key, value in document.items() if key != "tests"}
        found += [Case(path.name, number, head, test) for number, test in enumerate(document["tests"])]
    return found


class Rules:
    """All rules of a stack, by place; `files` is path (`rules/redis_alerts.yml`) -> text."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._groups = {path: yaml.safe_load(text)["groups"] for path, text in files.items()}
        self.by_place: dict[Place, Rule] = {
            Place(path, number, place): rule
            for path, groups in self._groups.items()
            for number, group in enumerate(groups)
            for place, rule in enumerate(group["rules"])
        }
        self._by_name: dict[str, list[Place]] = {}
        for place, rule in self.by_place.items():
            self._by_name.setdefault(name_of(rule), []).append(place)
        self._read_by: dict[Case, frozenset[Place]] = {}

    def read_by(self, case: Case) -> frozenset[Place]:
        """The rules that a case reads, of the files that it names."""
        if case not in self._read_by:
            self._read_by[case] = self._reading(case)
        return self._read_by[case]

    def _reading(self, case: Case) -> frozenset[Place]:
        names, seen = set(case.asks), set[str]()
        found: set[Place] = set()
        while names:
            name = names.pop()
            seen.add(name)
            for place in self._by_name.get(name, ()):
                if place.file in case.head["rule_files"]:
                    found.add(place)
                    names |= set(_NAME.findall(str(self.by_place[place]["expr"]))) - seen
        return frozenset(found)

    def named(self, name: str) -> list[Rule]:
        """The rules of that name."""
        return [self.by_place[place] for place in self._by_name.get(name, ())]

    def name_at(self, place: Place) -> str:
        """The name of the alert, or of the series, whose rule stands there."""
        return name_of(self.by_place[place])

    def reads(self, name: str, place: Place) -> bool:
        """Whether the rule of that name is the one at `place`, or reads it, maybe by others."""
        names, seen = {name}, set[str]()
        while names:
            one = names.pop()
            seen.add(one)
            if place in self._by_name.get(one, ()):
                return True
            names |= {other for rule in self.named(one) for other in _NAME.findall(str(rule["expr"]))} - seen
        return False

    def files(self, cases: Sequence[Case], changed: Mapping[Place, Rule], first: str) -> tuple[Document, Document]:
        """What promtool runs these cases of one file with: the rules that they read, some `changed`, and the cases.

        Prometheus evaluates groups beside each other, so what holds must hold with the recordings `first`, and with the
        alerts.
        """
        groups: dict[tuple[str, int], list[Rule]] = {}
        places = frozenset(place for case in cases for place in self.read_by(case))
        for place in sorted(places, key=lambda place: (place.file, place.group, place.rule)):
            groups.setdefault((place.file, place.group), []).append(changed.get(place, self.by_place[place]))
        written, order = [], []
        for (path, number), rules in groups.items():
            kind = "alerts" if "alert" in rules[0] else "recordings"
            name = f"{path} {number} {kind}"
            order.append((kind != first, name))
            written.append({**self._groups[path][number], "name": name, "rules": rules})
        tests = [case.test for case in cases]
        return {"groups": written}, {
            **cases[0].head,
            "group_eval_order": [name for _, name in sorted(order)],
            "tests": tests,
        }


def name_of(rule: Rule) -> str:
    """The name of an alert, or of the series that a rule records."""
    return str(rule.get("alert") or rule.get("record"))
