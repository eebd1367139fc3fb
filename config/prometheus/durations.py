"""Durations as Prometheus writes them, and the waits of alerts shortened for drills."""

import re


def shorten_waits(rules: str) -> str:
    """The text of a rule file with every `for` and `keep_firing_for` at a tenth, and at most 30 s.

    Only these two lines change: expressions, windows and thresholds, which are a rule's logic, stay as they are.
    """
    return re.sub(r"^(\s+(?:for|keep_firing_for): )(\S+)$", _shorter, rules, flags=re.MULTILINE)


def seconds(duration: str) -> float:
    """A Prometheus duration such as `1h30m` in seconds; ValueError where it is none."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ValueError(f"{duration!r} is no duration such as 30s or 1h30m")
    return sum(int(number) * units[unit] for number, unit in parts)


def _shorter(match: re.Match[str]) -> str:
    wait = seconds(match.group(2))
    return f"{match.group(1)}{int(min(30, max(10, wait / 10))) if wait else 0}s"
