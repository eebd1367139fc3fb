"""Loki: log lines, kept and queried; log alerts."""

import pulumi

from components.container import Container, Reach, Stop
from components.file import File
from components.host import Host
from components.service import Service
from config.loki import loki_files

_CONFIG = "-config.file=/etc/loki/loki.yaml"


class Loki(Service):
    """Loki and the volume of its chunks, index and WAL.

    Loki reads its configuration only when it starts, and its image has no shell: a change is checked by a container
    of its own, then replaces Loki, which takes up its WAL again.
    """

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        container = Container(
            image="loki",
            component="monitoring",
            user="10001:10001",
            command=[_CONFIG],
            files=[File(f"/etc/loki/{path}", content) for path, content in loki_files(host.settings).items()],
            health=["/usr/bin/loki", "-health"],
            reach=Reach(publish=(3100, host.settings.ports.loki)),
            # The ingester flushes its chunks.
            stop=Stop(grace=30),
        )
        check = ["/usr/bin/loki", "-verify-config", _CONFIG]
        super().__init__("loki", host, container, data="/loki", check=check, opts=opts)
