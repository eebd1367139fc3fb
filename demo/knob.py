"""A knob: one thing that can be changed while the demo runs, and within which limits."""

import math
from dataclasses import dataclass

Value = bool | float | tuple[str, ...]


class KnobError(ValueError):
    """A knob that does not exist, or a value it does not take. The message names the knob."""


@dataclass(frozen=True)
class Knob:
    """One thing that can be changed. The type of `default` is the type of the knob.

    `low` and `high` bound a number, both included; `whole` asks for a whole number; `choices` are what a
    list may contain.
    """

    name: str
    default: Value
    unit: str
    description: str
    provokes: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    whole: bool = False
    choices: tuple[str, ...] = ()

    def check(self, value: object) -> Value:
        """Return `value`, as it came out of JSON, in the knob's own type; raise KnobError when it does not fit."""
        if isinstance(self.default, bool):
            return self._check_flag(value)
        if isinstance(self.default, tuple):
            return self._check_list(value)
        return self._check_number(value)

    def _check_flag(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise KnobError(f"{self.name}: {value!r} is not true or false")
        return value

    def _check_list(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(item in self.choices for item in value):
            raise KnobError(f"{self.name}: {value!r} is not a list of any of {', '.join(self.choices)}")
        return tuple(choice for choice in self.choices if choice in value)

    def _check_number(self, value: object) -> float:
        # bool is a subclass of int: true is not a number here.
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise KnobError(f"{self.name}: {value!r} is not a number")
        if not self.low <= value <= self.high:
            raise KnobError(f"{self.name}: {value!r} is not between {self.low:g} and {self.high:g} ({self.unit})")
        if self.whole and value != int(value):
            raise KnobError(f"{self.name}: {value!r} is not a whole number")
        return int(value) if self.whole else float(value)


def flag(name: str, default: bool, description: str, *provokes: str) -> Knob:
    """A knob that is true or false."""
    return Knob(name, default, "flag", description, provokes)


def ratio(name: str, default: float, description: str, *provokes: str) -> Knob:
    """A knob between 0 and 1."""
    return Knob(name, default, "ratio", description, provokes, high=1)


def number(name: str, default: float, high: float, unit: str, description: str, *provokes: str, low: float = 0) -> Knob:
    """A knob that is a number from `low` to `high`."""
    return Knob(name, default, unit, description, provokes, low, high)


def count(name: str, default: int, high: int, unit: str, description: str, *provokes: str, low: int = 0) -> Knob:
    """A knob that is a whole number from `low` to `high`."""
    return Knob(name, default, unit, description, provokes, low, high, whole=True)


def describe(knob: Knob, value: Value) -> dict[str, object]:
    """The knob with its present `value`, default, unit, description and limits, ready for JSON."""
    entry: dict[str, object] = {
        "value": value,
        "default": knob.default,
        "unit": knob.unit,
        "description": knob.description,
        "provokes": knob.provokes,
    }
    if knob.choices:
        entry["choices"] = knob.choices
    elif not isinstance(knob.default, bool):
        entry["min"], entry["max"] = knob.low, knob.high
    return entry
