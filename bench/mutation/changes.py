"""What is changed in a rule: its numbers, waits, windows, comparisons and matchers, one at a time."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.durations import seconds

Rule = Mapping[str, Any]
# Each comparison becomes its neighbour, which differs at the edge alone: only a case just at the threshold tells them.
_COMPARISONS = {"==": "!=", "!=": "==", ">=": ">", "<=": "<", ">": ">=", "<": "<="}
_MATCHERS = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_STRING = re.compile(r'"[^"]*"|\'[^\']*\'')
_BRACES = re.compile(r"\{[^{}]*\}")
_BRACKETS = re.compile(r"\[[^\]]*\]")
_NUMBER = re.compile(r"(?<![\w.:])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.:])")
_COMPARISON = re.compile(r"==|!=|>=|<=|>|<")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*[\"']")
_WINDOW = re.compile(r"\[([0-9smhdw]+)")
# Characters of an expression that are shown on each side of what is changed in it.
_AROUND = 30


@dataclass(frozen=True)
class Change:
    """One change: the rule as it is after it, and what it is, for people: the place, with `before -> after` in it."""

    rule: Rule
    what: str


def changes(rule: Rule) -> Iterator[Change]:
    """Every change of a rule as Prometheus reads it; labels and annotations stay as they are."""
    for wait in ("for", "keep_firing_for"):
        for other in _other_waits(str(rule.get(wait, ""))):
            yield Change({**rule, wait: other}, f"{wait}: {rule[wait]} -> {other}")
    expression = str(rule["expr"])
    for begin, end, other in sorted(_in_expression(expression)):
        left = " ".join(expression[max(begin - _AROUND, 0) : begin].split())
        right = " ".join(expression[end : end + _AROUND].split())
        changed = f"{expression[:begin]}{other}{expression[end:]}"
        yield Change({**rule, "expr": changed}, f"{left} «{expression[begin:end]} -> {other}» {right}".strip())


def _other_waits(wait: str) -> list[str]:
    """Twice as long, and half as long in whole minutes, as rules are evaluated once a minute; of none, nothing."""
    # Prometheus takes 0 without a unit.
    length = seconds(wait) if wait not in ("", "0") else 0
    return [f"{length / 30:g}m", f"{length // 120:.0f}m"] if length else []


def _in_expression(expression: str) -> Iterator[tuple[int, int, str]]:
    """Where to put what: (begin, end, text)."""
    # Of the same length, so that places stay: first without comments, then also without strings, matchers and windows.
    code = re.sub(r"#.*", _blank, expression)
    plain = code
    for hidden in (_STRING, _BRACES, _BRACKETS):
        plain = hidden.sub(_blank, plain)
    for match in _COMPARISON.finditer(plain):
        yield match.start(), match.end(), _COMPARISONS[match.group()]
    for match in _NUMBER.finditer(plain):
        for other in _other_numbers(float(match.group())):
            yield match.start(), match.end(), other
    for match in _WINDOW.finditer(_STRING.sub(_blank, code)):
        yield match.start(1), match.end(1), f"{seconds(match.group(1)) * 3:.0f}s"
    for braces in _BRACES.finditer(code):
        for match in _MATCHER.finditer(braces.group()):
            place = braces.start() + match.start(2)
            yield place, place + len(match.group(2)), _MATCHERS[match.group(2)]


def _other_numbers(number: float) -> list[str]:
    """A tenth more, and a tenth less; 1 in place of 0."""
    return [f"{number * 1.1:.12g}", f"{number * 0.9:.12g}"] if number else ["1"]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
