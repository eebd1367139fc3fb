"""blackbox_exporter: calls endpoints as users do, and tells whether they answer, how fast, and until when their
certificates hold.
"""

import pulumi

from components.container import Container, Reach, http_health
from components.file import File
from components.host import Host
from components.service import Service
from config.blackbox import CONFIG, FILE


class BlackboxExporter(Service):
    """blackbox_exporter with its one module; which endpoints it calls is Prometheus' to say."""

    def __init__(self, host: Host, *, opts: pulumi.ResourceOptions | None = None) -> None:
        container = Container(
            image="blackbox-exporter",
            component="api_gateway",
            user="65534:65534",
            command=[f"--config.file={FILE}"],
            files=[File(FILE, CONFIG)],
            health=http_health(9115, "/-/healthy"),
            # Endpoints outside of the stack are reached over the network that leads out, as by users.
            reach=Reach(edge=not host.settings.demo, backend=True),
        )
        super().__init__("blackbox-exporter", host, container, opts=opts)
