"""Prometheus: metrics, recording rules and alerts."""

import jwt
import pulumi

from components.container import Reach
from components.file import File
from components.host import Host
from components.reloadable import Reloadable
from config.prometheus import FLAGS, prometheus_files
from config.prometheus.jobs import REALTIME_TOKEN
from config.settings import Settings
from images.catalogue import tags


class Prometheus(Reloadable):
    """Prometheus, its TSDB volume, and the writer of its configuration and rules."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        super().__init__(
            "prometheus",
            host,
            directory="/etc/prometheus",
            files=prometheus_files(settings, tags(settings)),
            secrets=_secrets(settings),
            check="promtool check config",
            data="/prometheus",
            arguments=[
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={settings.prometheus.retention}",
                "--web.enable-lifecycle",
                *FLAGS,
                # For what Loki counts of lines (config/loki/rules).
                "--web.enable-remote-write-receiver",
            ],
            url=settings.prometheus.url,
            reach=Reach(publish=(9090, settings.ports.prometheus), backend=True),
            # The head is flushed and the WAL closed on SIGTERM.
            grace=30,
            opts=opts,
        )


def _secrets(settings: Settings) -> list[File]:
    """The token for Realtime's metrics: it takes any that is signed with its secret, and misses neither exp nor iat."""
    secret = settings.backend.realtime_secret
    if not (settings.backend.realtime and secret):
        return []
    return [File(REALTIME_TOKEN, jwt.encode({"role": "metrics"}, secret.get_secret_value(), "HS256"), secret=True)]
