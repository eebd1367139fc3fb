"""Which alerts fire at other times after a change: by their rule, a threshold, or a recording rule that they read."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ops.plan.rules import THRESHOLD, Rule, changed

# A text in quotes, which is left alone, or a name.
_PART = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|([a-zA-Z_:][\w:]*)""")
# What may follow a series and no expression.
_OF_A_SERIES = re.compile(r"\s*[\[{]|\s+offset\b|\s*@")
# Recording rules that are made of others: times that they are put in for each other.
_DEPTH = 5


@dataclass(frozen=True)
class Affected:
    """An alert, and what it was before; None where it is new.

    In both expressions stands what their side says of thresholds, and in that of `after` also what the change says of
    recording rules, as no Prometheus has recorded that yet. `as_today` names those for which that cannot be done: they
    are read as they are recorded today, or not at all.
    """

    before: Rule | None
    after: Rule
    as_today: tuple[str, ...] = ()


def affected(before: Sequence[Rule], after: Sequence[Rule]) -> list[Affected]:
    """The alerts that are new or fire at other times."""
    recorded = _changed_recordings(before, after)
    was = _filled(before, _thresholds(before))
    becomes = _filled(after, {**recorded, **_thresholds(after)})
    found = []
    for old, new in changed(was, becomes):
        if new and (not old or _when(old) != _when(new)):
            names = {match.group(2) for match in _PART.finditer(new.expr)}
            found.append(Affected(old, new, tuple(sorted(names & set(recorded)))))
    return found


def _thresholds(rules: Sequence[Rule]) -> dict[str, str]:
    return {rule.name: rule.expr for rule in rules if THRESHOLD.fullmatch(rule.name) and not rule.alerts}


def _changed_recordings(before: Sequence[Rule], after: Sequence[Rule]) -> dict[str, str]:
    """Name -> expression of the recording rules that are new or record something else; empty where that is not one."""
    count = Counter(rule.name for rule in after if not rule.alerts)
    return {
        new.name: "" if new.labels or count[new.name] > 1 else new.expr
        for old, new in changed(before, after)
        if new and not new.alerts and (not old or (old.expr, old.labels) != (new.expr, new.labels))
    }


def _filled(rules: Sequence[Rule], expressions: Mapping[str, str]) -> list[Rule]:
    """The alerts, with these expressions in place of the series of these names."""
    found = []
    for rule in rules:
        if rule.alerts:
            expr = rule.expr
            for _ in range(_DEPTH):
                expr = _PART.sub(lambda match: _put_in(match, expressions), expr)
            found.append(replace(rule, expr=expr))
    return found


def _put_in(match: re.Match[str], expressions: Mapping[str, str]) -> str:
    expression = expressions.get(match.group(2) or "")
    if not expression or _OF_A_SERIES.match(match.string, match.end()):
        return match.group()
    return expression if THRESHOLD.fullmatch(match.group(2)) else f"({expression})"


def _when(rule: Rule) -> tuple[str, Mapping[str, str], str]:
    return rule.expr, rule.waits, rule.interval
