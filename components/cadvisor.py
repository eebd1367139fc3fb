"""cAdvisor: CPU, memory, network and restarts of the containers."""

import pulumi

from components.container import Container, Mount, http_health
from components.host import Host
from components.service import Service
from config.prometheus.jobs import EXPORTER_ARGUMENTS

_CADVISOR = Container(
    image="cadvisor",
    component="docker",
    # Not privileged, but root, as the engine's files are root's.
    user="0:0",
    command=EXPORTER_ARGUMENTS["cadvisor"],
    mounts=[Mount("/", "/rootfs"), *(Mount(path, path) for path in ("/var/run", "/sys", "/var/lib/docker"))],
    health=http_health(8080, "/healthz"),
    capabilities=["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYSLOG"],
    # Reports of processes killed for want of memory.
    devices=["/dev/kmsg"],
)


class Cadvisor(Service):
    """cAdvisor over the engine's state."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cadvisor", host, _CADVISOR, opts=opts)
