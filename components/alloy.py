"""Grafana Alloy, which ships logs to Loki in Promtail's place."""

import pulumi

from components.host import Host
from components.log_agent import CONFIG, POSITIONS, LogAgent

_COMMAND = (
    "run",
    "--config.format=promtail",
    "--server.http.listen-addr=0.0.0.0:12345",
    f"--storage.path={POSITIONS}",
    CONFIG,
)
_READY = "exec 3<>/dev/tcp/127.0.0.1/12345"


class Alloy(LogAgent):
    """Grafana Alloy, reading the same configuration as Promtail would."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alloy", host, command=_COMMAND, ready=_READY, opts=opts)
