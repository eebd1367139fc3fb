"""Promtail, which ships logs to Loki."""

import pulumi

from components.host import Host
from components.log_agent import CONFIG, LogAgent

_READY = "exec 3<>/dev/tcp/127.0.0.1/9080 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '200 OK' <&3"


class Promtail(LogAgent):
    """Promtail; a configuration that it would not take leaves the one that runs alone."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        file = f"-config.file={CONFIG}"
        check = ["/usr/bin/promtail", "-check-syntax", file]
        super().__init__("promtail", host, command=[file], ready=_READY, check=check, opts=opts)
