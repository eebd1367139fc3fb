"""Loki: log lines, kept and queried; log alerts."""

import pulumi

from components.file import File
from components.host import Host
from components.service import Service
from config.loki import loki_files


class Loki(Service):
    """Loki and the volume of its chunks, index and WAL.

    Loki reads its configuration only when it starts, and its image has no shell: a change is checked by a container
    of its own, then replaces Loki, which takes up its WAL again.
    """

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "loki",
            host,
            image="loki",
            component="monitoring",
            user="10001:10001",
            command=["-config.file=/etc/loki/loki.yaml"],
            files=[File(f"/etc/loki/{path}", content) for path, content in loki_files(host.settings).items()],
            check=["/usr/bin/loki", "-verify-config", "-config.file=/etc/loki/loki.yaml"],
            health=["/usr/bin/loki", "-health"],
            data="/loki",
            publish=(3100, host.settings.ports.loki),
            # The ingester flushes its chunks.
            grace=30,
            opts=opts,
        )
