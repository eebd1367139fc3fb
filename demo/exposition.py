"""The Prometheus text format, for metrics whose names and bounds are somebody else's.

prometheus_client would rename what Kong and Realtime serve: it ends every counter in `_total` and writes
every `le` as a float. The metrics of our own services use the library; these two need the bytes as they are.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence

Labels = tuple[str, ...]


class Family:
    """One metric with all its series: name, help, type and label names."""

    def __init__(self, name: str, help_text: str, kind: str, label_names: Labels) -> None:
        self.name = name
        self._kind = kind
        self._help = help_text
        self._label_names = label_names

    def render(self, constant: str) -> list[str]:
        """Return the lines of the family. `constant` is label text that every series carries."""
        return [f"# HELP {self.name} {self._help}", f"# TYPE {self.name} {self._kind}", *self._series(constant)]

    def _series(self, constant: str) -> list[str]:
        raise NotImplementedError

    def _labels(self, values: Labels, constant: str, bound: str = "") -> str:
        pairs = [f'{name}="{_escape(value)}"' for name, value in zip(self._label_names, values, strict=True)]
        if constant:
            pairs.append(constant)
        if bound:
            pairs.append(f'le="{bound}"')
        return "{" + ",".join(pairs) + "}" if pairs else ""


class Numbers(Family):
    """A counter or a gauge: one number a series."""

    def __init__(self, name: str, help_text: str, kind: str, label_names: Labels) -> None:
        super().__init__(name, help_text, kind, label_names)
        self._values: dict[Labels, float] = {}

    def add(self, amount: float, *labels: str) -> None:
        """Add to the series with these label values, which starts at 0. Adding 0 makes it exist."""
        self._values[labels] = self._values.get(labels, 0) + amount

    def set(self, value: float, *labels: str) -> None:
        """Set the series with these label values."""
        self._values[labels] = value

    def _series(self, constant: str) -> list[str]:
        return [
            f"{self.name}{self._labels(labels, constant)} {_number(value)}" for labels, value in self._values.items()
        ]


class Histogram(Family):
    """A histogram: counts by bucket and a sum, a series."""

    def __init__(
        self,
        name: str,
        help_text: str,
        label_names: Labels,
        bounds: Sequence[float],
        write_bound: Callable[[float], str],
    ) -> None:
        super().__init__(name, help_text, "histogram", label_names)
        self._bounds = tuple(bounds)
        self._bound_texts = (*(write_bound(bound) for bound in bounds), "+Inf")
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def create(self, *labels: str) -> None:
        """Make the series with these label values exist, with nothing in it."""
        self._counts.setdefault(labels, [0] * len(self._bound_texts))
        self._sums.setdefault(labels, 0)

    def observe(self, value: float, *labels: str, times: int = 1) -> None:
        """Count `value` in the series with these label values, `times` times."""
        self.create(*labels)
        self._counts[labels][bisect_left(self._bounds, value)] += times
        self._sums[labels] += value * times

    def _series(self, constant: str) -> list[str]:
        lines = []
        for labels, counts in self._counts.items():
            total = 0
            for text, count in zip(self._bound_texts, counts, strict=True):
                total += count
                lines.append(f"{self.name}_bucket{self._labels(labels, constant, text)} {total}")
            plain = self._labels(labels, constant)
            lines.append(f"{self.name}_count{plain} {total}")
            lines.append(f"{self.name}_sum{plain} {_number(self._sums[labels])}")
        return lines


class Registry:
    """The families of one service.

    `constant` are labels on every series; `write_bound` writes a bucket's bound as the service does.
    Hold `lock` while changing values: what is rendered then is from one moment.
    """

    def __init__(self, write_bound: Callable[[float], str], constant: dict[str, str] | None = None) -> None:
        self.lock = threading.Lock()
        self._write_bound = write_bound
        self._constant = ",".join(f'{name}="{_escape(value)}"' for name, value in (constant or {}).items())
        self._families: list[Family] = []

    def counter(self, name: str, help_text: str, *label_names: str) -> Numbers:
        """Add a counter; its name is served as it is given."""
        return self._numbers(Numbers(name, help_text, "counter", label_names))

    def gauge(self, name: str, help_text: str, *label_names: str) -> Numbers:
        """Add a gauge."""
        return self._numbers(Numbers(name, help_text, "gauge", label_names))

    def histogram(self, name: str, help_text: str, bounds: Sequence[float], *label_names: str) -> Histogram:
        """Add a histogram with these upper bounds; `+Inf` comes by itself."""
        family = Histogram(name, help_text, label_names, bounds, self._write_bound)
        self._families.append(family)
        return family

    def render(self, hidden: frozenset[Family] = frozenset()) -> bytes:
        """Return the whole page without the `hidden` families."""
        with self.lock:
            shown = [family for family in self._families if family not in hidden]
            lines = [line for family in shown for line in family.render(self._constant)]
        return ("\n".join(lines) + "\n").encode()

    def _numbers(self, family: Numbers) -> Numbers:
        self._families.append(family)
        return family


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
