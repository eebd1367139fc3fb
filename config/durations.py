"""Durations as Prometheus, Alertmanager and Loki write them: a number and a unit, such as 1h30m."""

import re

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}


def seconds(duration: str) -> float:
    """A Prometheus duration such as `1h30m` in seconds; ValueError where it is none."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ValueError(f"{duration!r} is no duration such as 30s or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def spelled(duration: str) -> str:
    """A Prometheus duration as a sentence says it: `1 minute` for 1m, `90 seconds` for 1m30s."""
    wait = seconds(duration)
    for length, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if wait and wait % length == 0:
            return _counted(int(wait / length), name)
    return _counted(int(wait), "second")


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
