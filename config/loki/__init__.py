"""Loki's configuration, and the rules of its ruler."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from config.durations import seconds
from config.links import external_labels, overview_links
from config.logs.source import Containers
from config.logs.sources import sources
from config.prometheus.waits import shorten_waits
from config.settings import Settings

RULES = "/etc/loki/rules"
"""Where the ruler finds its files, below the name of the only tenant."""
_DIRECTORY = Path(__file__).parent
_SILENT = "LogSourceSilent"


def loki_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of what Loki reads when it starts, below /etc/loki: `loki.yaml`."""
    text = Template((_DIRECTORY / "loki.yaml").read_text()).substitute(retention=_hours(settings.loki_retention))
    configuration = yaml.safe_load(text)
    # The first of two that match is the one that counts: Loki takes the highest priority.
    streams = list(settings.loki_retention_by_stream.items())
    configuration["limits_config"]["retention_stream"] = [
        {"selector": selector, "priority": len(streams) - place, "period": _hours(period)}
        for place, (selector, period) in enumerate(streams)
    ]
    configuration["ruler"]["external_labels"] = external_labels(settings)
    return {"loki.yaml": yaml.safe_dump(configuration, sort_keys=False, width=120)}


def rule_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of the ruler's files, below RULES; they may change while Loki runs.

    A rule names a threshold as Prometheus' rules do (`threshold:<key>`), and gets the stack's number in its place.
    """
    files = {f"fake/{path.name}": path.read_text() for path in sorted((_DIRECTORY / "rules").glob("*.yml"))}
    files["fake/silence.yml"] = yaml.safe_dump(_silence(settings), sort_keys=False, width=120)
    files = {path: _with_thresholds(text, settings.thresholds) for path, text in files.items()}
    return {path: shorten_waits(text) for path, text in files.items()} if settings.drill else files


def _with_thresholds(text: str, thresholds: Mapping[str, float]) -> str:
    return re.sub(r"threshold:([a-z0-9_]+:[a-z]+)", lambda found: f"{thresholds[found.group(1)]:g}", text)


def _hours(days: str) -> str:
    """The same duration in hours: Loki's retention takes no days."""
    return f"{seconds(days) / 3600:.0f}h"


def _silence(settings: Settings) -> dict[str, Any]:
    """An alert for each source that writes all the time while it is healthy, and has stopped.

    Only for what this stack started itself: what others run is not known to be there.
    """
    rules = [
        {
            "alert": _SILENT,
            "expr": f'absent_over_time({{service="{service}"}}[{source.silent_after}])',
            "for": "1m",
            "labels": {"priority": "P2", "service": service, "component": source.component, "source": source.name},
            "annotations": {
                "summary": "A service has stopped to log.",
                "description": f"{service} has written no line for {source.silent_after}; a healthy one does all the "
                "time. Either it stands still, or its lines are lost on their way.",
                **overview_links(_SILENT),
            },
        }
        for source in sources(settings)
        if settings.demo and source.silent_after and isinstance(source.found, Containers)
        for service in source.found.services
    ]
    return {"groups": [{"name": "silence", "interval": "1m", "rules": rules}]} if rules else {"groups": []}
