"""Promtail, which ships logs to Loki where somebody must stay with it: it has had no release since 2026-03-02."""

import pulumi

from components.container import Container, bash_health
from components.file import File
from components.host import Host
from components.log_agent import LogAgent
from config.logs.promtail import promtail_files

_DIRECTORY = "/etc/promtail"
_CONFIG = f"-config.file={_DIRECTORY}/promtail.yaml"


class Promtail(LogAgent):
    """Promtail; a configuration that it would not take leaves the one that runs alone."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        container = Container(
            image="promtail",
            component="monitoring",
            # The system's logs belong to root.
            user="0:0",
            command=[_CONFIG],
            files=[File(f"{_DIRECTORY}/{path}", text) for path, text in promtail_files(host.settings).items()],
            health=bash_health(9080, "/ready"),
        )
        check = ["/usr/bin/promtail", "-check-syntax", _CONFIG]
        super().__init__("promtail", "alloy", host, container, check=check, opts=opts)
