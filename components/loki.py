"""Loki: log lines, kept and queried; log alerts."""

import pulumi

from components.config_writer import Configuration, ConfigWriter
from components.container import Container, Reach, Stop
from components.file import File
from components.host import Host
from components.service import Service
from config.loki import RULES, loki_files, rule_files

_CONFIG = "-config.file=/etc/loki/loki.yaml"


class Loki(Service):
    """Loki, the volume of its chunks, index and WAL, and the writer of its ruler's rules.

    Loki reads its configuration only when it starts, and its image has no shell: a change is checked by a container
    of its own, then replaces Loki, which takes up its WAL again. The rules are read again while it runs: the writer, in
    the image of Prometheus, asks Loki whether it can read them, and puts the ones before back when it cannot.
    """

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        container = Container(
            image="loki",
            component="monitoring",
            user="10001:10001",
            command=[_CONFIG],
            files=[File(f"/etc/loki/{path}", content) for path, content in loki_files(settings).items()],
            health=["/usr/bin/loki", "-health"],
            reach=Reach(publish=(3100, settings.ports.loki)),
            # The ingester flushes its chunks.
            stop=Stop(grace=30),
        )
        rules = ConfigWriter(
            "loki",
            host,
            Configuration(
                directory=RULES,
                files=[File(f"{RULES}/{path}", content) for path, content in rule_files(settings).items()],
                secrets=[],
                url="http://loki:3100",
                healthy="/ready",
                # Reads every rule from its file at once, and answers with an error where one is wrong.
                reread="/loki/api/v1/rules",
            ),
            image="prometheus",
            component="monitoring",
            data="/prometheus",
            opts=opts,
        )
        check = ["/usr/bin/loki", "-verify-config", _CONFIG]
        super().__init__("loki", host, container, data="/loki", config=rules, check=check, opts=opts)
