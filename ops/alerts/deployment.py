"""What an update is expected to do to the host must not page: `ops up` says so to Alertmanager while it runs.

Images are built, containers start, disks work. These alerts are silenced, in sight of everybody, and for a while after:
their windows look back. What an update breaks is told as ever.
"""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from config.settings import Settings
from ops.alerts.client import Client
from ops.alerts.silences import Matcher
from ops.errors import OpsError

AUTHOR = "ops"
EXPECTED = ("HighCPUUsage", "HighSystemLoad", "DiskIOSaturated", "ContainerHighCPU")
"""Alerts about what an update does to the host."""

# No update takes longer; one that is killed leaves a silence that ends by itself.
_AT_MOST = timedelta(hours=1)
# Windows of 5 minutes have to drain, and `keep_firing_for` of 2.
_AFTERWARDS = timedelta(minutes=10)


@contextmanager
def expected(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """While this lasts, and 10 minutes more, the stack's Alertmanager keeps quiet what an update does to the host.

    A stack that is new has no Alertmanager before; then it is told at the end. One that cannot be told stops nothing.
    """
    known = _silence(settings, _AT_MOST)
    try:
        yield
    finally:
        if _silence(settings, _AFTERWARDS, known):
            say(f"alerts about the load of an update are silenced for {_AFTERWARDS.seconds // 60} minutes more")


def _silence(settings: Settings, length: timedelta, known: str = "") -> str:
    """The id of the silence, empty where Alertmanager does not answer."""
    matcher = Matcher("alertname", "=~", "|".join(EXPECTED))
    reason = f"ops up of {settings.stack}, by {getpass.getuser()}@{socket.gethostname()}"
    try:
        client = Client(settings.alertmanager_url)
        return client.silence([matcher.api], end=datetime.now(UTC) + length, author=AUTHOR, reason=reason, known=known)
    except OpsError:
        return ""
