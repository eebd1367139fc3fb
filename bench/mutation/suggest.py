"""`python -m bench.mutation.suggest [FILE...]`: what the cases would have to ask to notice the changes that survived.

For each of them, the series of the cases that reach it are played with the rule and with its change, and the first
moment is looked for at which they differ. With `--write` the question goes into the case, with the answer of the rule
as it is: read each of them, as it holds that the rule stays what it is, and not that it is right. Where nothing
differs at any moment, the case needs other series, or the change changes nothing.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.mutation.cases import CASES, Case, Place, Rules, name_of, read_cases
from bench.mutation.changes import Change, Rule
from bench.mutation.mutant import excuses
from bench.mutation.promtool import problems
from bench.mutation.rules import ORDERS, changes_of, rules_of_the_stack
from config.durations import seconds

# A value that nothing has: so promtool tells each.
_NOTHING = -123456.5
_GOT = re.compile(r"^ +got: (?:nil|\{\} (\S+))$", re.MULTILINE)
# Steps of a case at most: a case over days is not looked at minute by minute.
_STEPS = 400


@dataclass(frozen=True)
class Question:
    """What a case is to ask, at which moment (in seconds), and what the rule answers; None: there is no such series."""

    case: Case
    expression: str
    moment: int
    answer: float | None


# (expression, moment) -> the answer; None: there is no such series.
Answers = dict[tuple[str, int], float | None]


class Inquiry:
    """What each case answers, with the rules as they are and with changes."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._before: dict[tuple[Case, tuple[str, ...]], list[Answers]] = {}

    def questions(self, cases: Sequence[Case], place: Place, changed: Sequence[Change]) -> list[Question | None]:
        """For each change of the rule at `place`, the first question by which one of the cases notices it."""
        found: list[Question | None] = [None] * len(changed)
        for case in cases:
            asked = tuple(_expressions(self._rules, case, place))
            left = [number for number, question in enumerate(found) if question is None]
            if not left or not asked:
                continue
            if (case, asked) not in self._before:
                self._before[case, asked] = [self._answers(case, asked, order, {})[0] for order in ORDERS]
            told, other = self._before[case, asked]
            # Only what is the same whichever rules are evaluated first can be asked.
            certain = {key: answer for key, answer in told.items() if other[key] == answer}
            rules = [{place: changed[number].rule} for number in left]
            for number, after in zip(left, self._answers(case, asked, ORDERS[0], *rules), strict=True):
                found[number] = next(
                    (
                        Question(case, expression, moment, answer)
                        for (expression, moment), answer in certain.items()
                        if after[expression, moment] != answer
                    ),
                    None,
                )
        return found

    def _answers(self, case: Case, asked: Sequence[str], order: str, *changed: Mapping[Place, Rule]) -> list[Answers]:
        """What the expressions give at each moment, with each of these changes."""
        keys = [(expression, moment) for expression in asked for moment in _moments(case)]
        tests = [
            {"expr": expression, "eval_time": f"{moment}s", "exp_samples": [{"value": _NOTHING}]}
            for expression, moment in keys
        ]
        test = {key: value for key, value in case.test.items() if key != "alert_rule_test"}
        pairs = [self._rules.files([case], one, order) for one in changed]
        asking = [(written, {**head, "tests": [{**test, "promql_expr_test": tests}]}) for written, head in pairs]
        found = []
        for said in problems(asking):
            values = _GOT.findall(said)
            if len(values) != len(keys):
                raise ValueError(f"promtool answered {len(values)} of {len(keys)} questions:\n{said[:2000]}")
            answers = [float(value) if value else None for value in values]
            found.append(dict(zip(keys, answers, strict=True)))
        return found


def _expressions(rules: Rules, case: Case, place: Place) -> list[str]:
    """What may be asked: of each rule that is, or reads, the one at `place`; what the case is about comes first."""
    names = [rules.name_at(place)] + sorted(name_of(rules.by_place[one]) for one in rules.read_by(case))
    found = []
    for name in dict.fromkeys(names):
        if not rules.reads(name, place):
            continue
        if any("alert" in rule for rule in rules.named(name)):
            found.append(f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)')
        else:
            found += [f"sum({name})", f"count({name})", f"max({name})", f"min({name})"]
    return found


def _moments(case: Case) -> list[int]:
    step = int(seconds(str(case.head["evaluation_interval"])))
    # Beyond the end of its series, too: so one sees how an alert ends.
    moments = list(range(0, case.length + 60 * 60 + step, step))
    return moments if len(moments) <= _STEPS else moments[:: len(moments) // _STEPS + 1]


def write(questions: Sequence[Question]) -> None:
    """Put the questions into their cases, at the end of what each asks of series."""
    for file in sorted({question.case.file for question in questions}):
        lines = (CASES / file).read_text().splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("  - ")]
        starts = [number for number in starts if number > lines.index("tests:")] + [len(lines)]
        # From the last case on, so that the places of those before stay.
        for number in range(len(starts) - 2, -1, -1):
            mine = [question for question in questions if (question.case.file, question.case.number) == (file, number)]
            if mine:
                _insert(lines, starts[number], starts[number + 1], mine)
        (CASES / file).write_text("\n".join(lines) + "\n")


def _insert(lines: list[str], start: int, end: int, questions: Sequence[Question]) -> None:
    while lines[end - 1].startswith("  #") or not lines[end - 1].strip():
        end -= 1  # what is said of the next case
    heads = [number for number in range(start, end) if re.match(r"    \w+:", lines[number])]
    asked = next((number for number in heads if lines[number] == "    promql_expr_test:"), None)
    place = end if asked is None else next((number for number in heads if number > asked), end)
    text = [] if asked is not None else ["    promql_expr_test:"]
    for question in sorted(questions, key=lambda question: (question.expression, question.moment)):
        samples = "[]" if question.answer is None else f"[{{value: {question.answer:.17g}}}]"
        text += [
            f"      - expr: '{question.expression}'",
            f"        eval_time: {_spelled(question.moment)}",
            f"        exp_samples: {samples}",
        ]
    lines[place:place] = text


def _spelled(moment: int) -> str:
    return f"{moment // 60}m" if moment % 60 == 0 else f"{moment}s"


def main() -> None:
    """Look at every survivor that is not excused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rules, excused = rules_of_the_stack(), excuses()
    inquiry = Inquiry(rules)
    found: dict[Any, Question] = {}
    for place, some in groupby(changes_of(rules, read_cases(), given.files), key=lambda one: one[0]):
        survivors = [(mine, change) for _, mine, change, noticed in some if noticed is False]
        survivors = [one for one in survivors if f"{rules.name_at(place)}: {one[1].what}" not in excused]
        if not survivors:
            continue
        changed = [change for _, change in survivors]
        for change, question in zip(changed, inquiry.questions(survivors[0][0], place, changed), strict=True):
            where = "no case differs at any moment"
            if question:
                found[question.case.file, question.case.number, question.expression, question.moment] = question
                where = f"{question.case.file}: {question.expression} at {_spelled(question.moment)}"
            print(f"{rules.name_at(place)}: {change.what}\n  {where}", flush=True)
    if given.write:
        write(list(found.values()))


if __name__ == "__main__":
    main()
