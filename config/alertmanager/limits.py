"""The limits that alerts compare with, as messages say them: made from the rules and the stack's own thresholds."""

import re
from functools import cache

from config.project import ROOT
from config.settings import Settings

_THRESHOLD = re.compile(r"scalar\(threshold:([a-z0-9_]+:[a-z]+)\)")


def limits_template(settings: Settings) -> str:
    """A template `monitoring.limit` that gives, for the name of an alert, its thresholds in brackets, or nothing."""
    cases = "".join(
        f'{{{{ {"else if" if number else "if"} eq . "{alert}" }}}} ({said})'
        for number, (alert, said) in enumerate(limits(settings).items())
    )
    return f'{{{{ define "monitoring.limit" }}}}{cases}{{{{ end }}}}{{{{ end }}}}\n'


def limits(settings: Settings) -> dict[str, str]:
    """Alert -> the thresholds of this stack that it reads, such as `threshold 85%`."""
    return {alert: _said(keys, settings) for alert, keys in _thresholds_of_alerts().items()}


@cache
def _thresholds_of_alerts() -> dict[str, list[str]]:
    """Alert -> the keys of its thresholds. Read as text: to parse all of this YAML would take a third of a second."""
    found = {}
    for file in sorted((ROOT / "config/prometheus/rules").glob("*_alerts.yml")):
        _, *parts = re.split(r"^ +- alert: (\w+)$", file.read_text(), flags=re.MULTILINE)
        for alert, body in zip(parts[::2], parts[1::2], strict=True):
            if keys := list(dict.fromkeys(_THRESHOLD.findall(body))):
                found[alert] = keys
    return found


def _said(keys: list[str], settings: Settings) -> str:
    values = {key: _value(settings.thresholds[key], key.rpartition(":")[2]) for key in keys}
    if len(values) == 1:
        return f"threshold {next(iter(values.values()))}"
    return "thresholds " + ", ".join(f"{key.partition(':')[0]} {value}" for key, value in values.items())


def _value(number: float, unit: str) -> str:
    """A number with its unit (the last part of a threshold's key), as a person reads it."""
    if unit == "ratio" and number <= 1:
        return f"{number * 100:.4g}%"
    if unit == "bytes":
        return f"{number / 2**20:.4g} MiB"
    if unit == "seconds":
        return f"{number:.6g} s"
    if unit == "rate":
        return f"{number:.6g}/s"
    return f"{number:.10g}"
