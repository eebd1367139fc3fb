"""Colours, by the names of which Grafana has a light and a dark shade."""

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import (
    FieldColor,
    FieldColorModeId,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

GOOD, WARN, BAD, CALM = "green", "orange", "red", "blue"


def fixed(color: str) -> FieldColor:
    """One colour, whatever the value."""
    return FieldColor(FieldColorModeId.FIXED, color)


def states_as(states: Mapping[str, tuple[str, str]]) -> ValueMapping:
    """Text and colour for values: `states` is value -> (text, colour)."""
    return ValueMap(
        options={
            state: ValueMappingResult(text=text, color=color, index=n)
            for n, (state, (text, color)) in enumerate(states.items())
        }
    )
