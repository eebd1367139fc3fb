"""Limits: the thresholds of alerts, and how a panel shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsConfig, ThresholdsMode

from dashboards.panels.colors import BAD, CALM, GOOD


@dataclass(frozen=True)
class Limit:
    """The threshold of an alert: values on its `bad` side make it fire."""

    value: float
    bad: Literal["above", "below"]


@dataclass(frozen=True)
class Limits:
    """The thresholds of a stack, by their keys."""

    thresholds: Mapping[str, float]

    def above(self, key: str) -> Limit:
        """An alert fires above the threshold `key`; KeyError where there is none."""
        return Limit(self.thresholds[key], "above")

    def below(self, key: str) -> Limit:
        """An alert fires below the threshold `key`; KeyError where there is none."""
        return Limit(self.thresholds[key], "below")


def steps(limit: Limit | None) -> ThresholdsConfig:
    """Good up to the limit and bad beyond it, or the other way round; calm where nothing is bad."""
    if not limit:
        return _thresholds(CALM)
    return _thresholds(GOOD, (limit.value, BAD)) if limit.bad == "above" else _thresholds(BAD, (limit.value, GOOD))


def line_at(limit: Limit | None) -> ThresholdsConfig:
    """The limit as a red line, whichever side of it is bad."""
    return _thresholds(GOOD, (limit.value, BAD)) if limit else _thresholds(CALM)


def _thresholds(base: str, *beyond: tuple[float, str]) -> ThresholdsConfig:
    return ThresholdsConfig(
        ThresholdsMode.ABSOLUTE, [Threshold(None, base), *(Threshold(at, color) for at, color in beyond)]
    )
