"""Until when what the stack runs is mended, as series: the stack is offline, and config/support.yaml is with it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from config.support import Support
from config.versions import version_of

SUPPORT_ENDS = "component:support_ends:timestamp_seconds"

# The demo's servers stand for a backend that is somebody else's: an alert that a development stack never loses would
# teach people to overlook it. `ops images outdated` tells of them.
_BACKEND = ("postgres", "redis", "nginx")


def support_rules(tags: Mapping[str, str], table: Mapping[str, Support]) -> dict[str, Any]:
    """A series for each image whose line has a last day: that day's last second, in UTC.

    `tags` is key of images.yaml -> tag of the image that runs; `table` is config/support.yaml. The label `component`
    is the part of the system that alerts are routed and inhibited by, as everywhere: all of this is the monitoring
    itself, also the exporter of a database, which its operator upgrades. Which program it is says `service`.
    """
    rules = []
    for key, tag in sorted(tags.items()):
        version, support = version_of(tag), table.get(key)
        until = support.lines.get(version.line) if version and support else None
        if until and key not in _BACKEND:
            labels = {"component": "monitoring", "service": key, "version": str(version)}
            rules.append({"record": SUPPORT_ENDS, "expr": f"vector({_end_of(until)})", "labels": labels})
    return {"groups": [{"name": "support", "rules": rules}] if rules else []}


def _end_of(day: date) -> int:
    """The last second of a day in UTC, in seconds since 1970."""
    return int(datetime.combine(day, time(23, 59, 59), UTC).timestamp())
