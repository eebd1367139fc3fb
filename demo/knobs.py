"""The knobs' present values. All code reads a knob at the moment it needs it: a change takes effect within a second."""

import threading
from collections.abc import Mapping

from demo.knob import Knob, KnobError, Value, describe
from demo.knob_table import KNOBS


class Knobs:
    """The present values. Safe to use from any thread."""

    def __init__(self, knobs: tuple[Knob, ...] = KNOBS) -> None:
        self._knobs = {knob.name: knob for knob in knobs}
        self._values: dict[str, Value] = {knob.name: knob.default for knob in knobs}
        self._lock = threading.Lock()

    def flag(self, name: str) -> bool:
        """Return the value of a true/false knob."""
        value = self._values[name]
        assert isinstance(value, bool), name
        return value

    def number(self, name: str) -> float:
        """Return the value of a knob that is a number."""
        value = self._values[name]
        assert isinstance(value, int | float), name
        return value

    def choice(self, name: str) -> tuple[str, ...]:
        """Return the value of a knob that is a list."""
        value = self._values[name]
        assert isinstance(value, tuple), name
        return value

    def change(self, changes: Mapping[str, object]) -> None:
        """Set several knobs at once. Raises KnobError, and then nothing at all has changed."""
        checked = {name: self._find(name).check(value) for name, value in changes.items()}
        with self._lock:
            self._values = {**self._values, **checked}

    def reset(self) -> None:
        """Set every knob back to its default."""
        with self._lock:
            self._values = {knob.name: knob.default for knob in self._knobs.values()}

    def describe(self) -> dict[str, dict[str, object]]:
        """Return each knob with its value, default, unit, description and limits, ready for JSON."""
        values = self._values
        return {name: describe(knob, values[name]) for name, knob in self._knobs.items()}

    def _find(self, name: str) -> Knob:
        if name not in self._knobs:
            raise KnobError(f"{name}: there is no such knob; GET /state lists them all")
        return self._knobs[name]
