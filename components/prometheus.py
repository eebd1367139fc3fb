"""Prometheus: metrics, recording rules and alerts."""

import jwt
import pulumi

from components.config_writer import ConfigWriter
from components.file import File
from components.host import Host
from components.service import Service
from config.prometheus import prometheus_files
from config.prometheus.jobs import REALTIME_TOKEN
from config.settings import Settings

_DIRECTORY = "/etc/prometheus"
_DATA = "/prometheus"


class Prometheus(Service):
    """Prometheus, its TSDB volume, and the writer of its configuration and rules."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        secrets = _secrets(settings)
        config = ConfigWriter(
            "prometheus",
            host,
            image="prometheus",
            component="monitoring",
            directory=_DIRECTORY,
            files=[File(f"{_DIRECTORY}/{path}", text) for path, text in prometheus_files(settings).items()],
            secrets=[file.path for file in secrets],
            check=f"promtool check config {_DIRECTORY}/prometheus.yml",
            url="http://prometheus:9090",
            reloaded_metric="prometheus_config_last_reload_successful",
            data=_DATA,
            opts=opts,
        )
        super().__init__(
            "prometheus",
            host,
            image="prometheus",
            component="monitoring",
            user="65534:65534",
            command=[
                f"--config.file={_DIRECTORY}/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={settings.prometheus.retention}",
                "--web.enable-lifecycle",
                f"--web.external-url={settings.prometheus.url}",
            ],
            health=["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/-/healthy"],
            data=_DATA,
            config=config,
            config_directory=_DIRECTORY,
            files=secrets,
            publish=(9090, settings.ports.prometheus),
            backend=True,
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
