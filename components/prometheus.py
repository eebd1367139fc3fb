"""Prometheus: metrics, recording rules and alerts."""

import jwt
import pulumi

from components.config_writer import ConfigWriter
from components.file import File
from components.host import Host
from components.service import Service
from config.scrape import prometheus_files
from config.settings import Settings

_DIRECTORY = "/etc/prometheus"


class Prometheus(Service):
    """Prometheus, its TSDB volume, and the writer of its configuration and rules."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        config = ConfigWriter(
            "prometheus",
            host,
            image="prometheus",
            component="monitoring",
            directory=_DIRECTORY,
            files=_files(settings),
            check=f"promtool check config {_DIRECTORY}/prometheus.yml",
            url="http://prometheus:9090",
            reloaded_metric="prometheus_config_last_reload_successful",
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
            data="/prometheus",
            config=config,
            config_directory=_DIRECTORY,
            publish=(9090, settings.ports.prometheus),
            backend=True,
            # The head is flushed and the WAL closed on SIGTERM.
            grace=30,
            opts=opts,
        )


def _files(settings: Settings) -> list[File]:
    files = [File(f"{_DIRECTORY}/{path}", content) for path, content in prometheus_files(settings).items()]
    if settings.backend.realtime and settings.backend.realtime_secret:
        # Realtime takes any token that is signed with its secret, and checks exp and iat only where they are present.
        token = jwt.encode({"role": "metrics"}, settings.backend.realtime_secret.get_secret_value(), algorithm="HS256")
        files.append(File(f"{_DIRECTORY}/secrets/realtime_token", token, secret=True))
    return files
