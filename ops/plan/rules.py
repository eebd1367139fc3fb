"""Alerting and recording rules, those of Prometheus and those of Loki: what changes in them."""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from ops.plan.compare import one_line, pairs, shown
from ops.plan.model import Change, Detail

# The words of an expression: a window, a text, a name or number, a sign.
_WORD = re.compile(r"""\[[^\]]+\]|"(?:[^"\\]|\\.)*"|`[^`]*`|[\w:.]+|[<>=!~|]+|\S""")
_SIGNS = (">", "<", ">=", "<=", "==", "!=")
# Words that differ, up to which they are told by themselves.
_FEW = 3
THRESHOLD = re.compile(r"threshold:[a-z0-9_]+:[a-z]+")
"""The name of the series that is a threshold."""
_TEXTS = ("summary", "description")
# A name in an expression: of a series, a function or a label.
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
# Alerts that are named as those that read a series.
_ALERTS = 6


@dataclass(frozen=True)
class Rule:
    """A rule as it is written. `interval` is that of its group; empty where it is the server's own."""

    file: str
    group: str
    interval: str
    kind: str
    name: str
    expr: str
    waits: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def alerts(self) -> bool:
        """Whether it fires, and does not only record."""
        return self.kind == "alert"


def read(files: Mapping[str, str]) -> list[Rule]:
    """The rules of rule files, by path. Raises yaml.YAMLError, or another error, where one is none."""
    return [rule for path, text in sorted(files.items()) for rule in _rules(path, yaml.safe_load(text) or {})]


def _rules(path: str, document: Mapping[str, Any]) -> Iterator[Rule]:
    for group in document.get("groups") or []:
        for rule in group.get("rules") or []:
            kind = "alert" if "alert" in rule else "record"
            yield Rule(
                file=path,
                group=str(group["name"]),
                interval=str(group.get("interval") or ""),
                kind=kind,
                name=str(rule[kind]),
                expr=one_line(str(rule["expr"])),
                waits={key: str(rule[key]) for key in ("for", "keep_firing_for") if rule.get(key)},
                labels={key: str(value) for key, value in (rule.get("labels") or {}).items()},
                annotations={key: one_line(str(text)) for key, text in (rule.get("annotations") or {}).items()},
            )


def changed(before: Sequence[Rule], after: Sequence[Rule]) -> list[tuple[Rule | None, Rule | None]]:
    """Which rule became which, where they differ; None on the side where there is none."""
    count = Counter([rule.name for rule in before]) | Counter([rule.name for rule in after])

    def key(rule: Rule) -> Hashable:
        # Of namesakes, such as the guard of each job, one with other labels is another one.
        labels = tuple(sorted(rule.labels.items()))
        return rule.kind, rule.name, labels if count[rule.name] > 1 else ()

    return pairs(before, after, key)


class Book:
    """Rules by their names, and by the names of the series that they read."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.by_name: dict[str, list[Rule]] = defaultdict(list)
        self._by_series: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            self.by_name[rule.name].append(rule)
            for name in set(_NAME.findall(rule.expr)):
                self._by_series[name].append(rule)

    def readers(self, series: str) -> list[str]:
        """The alerts whose expression names the series `series`, itself or by what is recorded of it."""
        found: set[str] = set()
        looked: set[str] = set()
        names = [series]
        while names:
            name = names.pop()
            if name not in looked:
                looked.add(name)
                rules = self._by_series.get(name, ())
                found |= {rule.name for rule in rules if rule.alerts}
                names += [rule.name for rule in rules if not rule.alerts]
        return sorted(found)


def changes(before: Sequence[Rule], after: Sequence[Rule], alert: str = "alert") -> Iterator[Change]:
    """What changes, alerts first; `alert` is what one is called. What only stands elsewhere is not told."""
    book = Book(after)
    for old, new in sorted(changed(before, after), key=lambda pair: not any(rule and rule.alerts for rule in pair)):
        if change := _change(old, new, book, alert):
            yield change


def _change(old: Rule | None, new: Rule | None, book: Book, alert: str) -> Change | None:
    rule = new or old
    assert rule
    what = alert if rule.alerts else "recording rule"
    name, note = rule.name, ""
    if THRESHOLD.fullmatch(rule.name) and not rule.alerts:
        what, name = "threshold", rule.name.removeprefix("threshold:")
    if not rule.alerts:
        note = _read_by(book.readers(rule.name))
    name += _which(rule, book.by_name[rule.name])
    if not old:
        return Change("added", what, name, _of_new(rule), note)
    if not new:
        return Change("removed", what, name, note=_was(rule) if rule.alerts else note)
    details = tuple(_details(old, new))
    return Change("changed", what, name, details, note) if details else None


def _read_by(alerts: Sequence[str]) -> str:
    more = f" and {len(alerts) - _ALERTS} more" if len(alerts) > _ALERTS else ""
    return f"read by {', '.join(alerts[:_ALERTS]) or 'no alert'}{more}"


def _which(rule: Rule, namesakes: Sequence[Rule]) -> str:
    """What tells a rule from its namesakes: one label where that is enough; empty where there are none."""
    # What a rule is for says more than whose it is.
    keys = sorted(rule.labels, key=lambda key: (key not in ("job", "metric"), key))
    told = {key: rule.labels[key] for key in keys if any(o.labels.get(key) != rule.labels[key] for o in namesakes)}
    for key, value in told.items():
        if sum(other.labels.get(key) == value for other in namesakes) <= 1:
            told = {key: value}
            break
    return f" ({shown(told)})" if told else ""


def _of_new(rule: Rule) -> tuple[Detail, ...]:
    priority = [Detail("priority", "", rule.labels["priority"])] if rule.alerts and "priority" in rule.labels else []
    waits = [Detail(key, "", value) for key, value in rule.waits.items()]
    return (*priority, Detail("expression", "", _value(rule.expr)), *waits)


def _was(rule: Rule) -> str:
    priority = rule.labels.get("priority", "")
    return f"nobody is told of this any more{f' (it was {priority})' if priority else ''}"


def _details(old: Rule, new: Rule) -> Iterator[Detail]:
    if old.labels.get("priority") != new.labels.get("priority"):
        yield Detail("priority", old.labels.get("priority", "none"), new.labels.get("priority", "none"))
    if old.expr != new.expr:
        yield from _of_expression(old.expr, new.expr)
    for key in ("for", "keep_firing_for"):
        if old.waits.get(key) != new.waits.get(key):
            yield Detail(key, old.waits.get(key, "0s"), new.waits.get(key, "0s"))
    for key in sorted({*old.labels, *new.labels} - {"priority"}):
        if old.labels.get(key) != new.labels.get(key):
            yield Detail(f"label {key}", old.labels.get(key, ""), new.labels.get(key, ""))
    for key in sorted({*old.annotations, *new.annotations}):
        if old.annotations.get(key) != new.annotations.get(key):
            if key in _TEXTS:
                yield Detail(f"other text of the {key}")
            else:
                yield Detail(key, old.annotations.get(key, ""), new.annotations.get(key, ""))
    if old.interval != new.interval:
        default = "the server's own"
        yield Detail("evaluated every", old.interval or default, new.interval or default)


def _of_expression(old: str, new: str) -> Iterator[Detail]:
    """The words that differ, where it is a few in the same place; else both expressions."""
    if _value(old) != old and _value(new) != new:
        yield Detail("", _value(old), _value(new))
        return
    was, becomes = _WORD.findall(old), _WORD.findall(new)
    differ = [place for place, (one, other) in enumerate(zip(was, becomes, strict=False)) if one != other]
    if len(was) != len(becomes) or len(differ) > _FEW:
        yield Detail("expression", old, new)
        return
    for place in differ:
        sign = was[place - 1] if place else ""
        if sign in _SIGNS and becomes[place - 1] == sign:
            yield Detail("limit", f"{sign} {was[place]}", f"{sign} {becomes[place]}")
        elif was[place].startswith("["):
            yield Detail("window", was[place], becomes[place])
        else:
            yield Detail("in its expression", was[place], becomes[place])


def _value(expr: str) -> str:
    """A constant without the function that makes a series of it."""
    constant = re.fullmatch(r"vector\((-?[\d.eE+-]+)\)", expr)
    return f"{float(constant.group(1)):.15g}" if constant else expr
