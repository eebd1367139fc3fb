"""cAdvisor: CPU, memory, network and restarts of the containers."""

import pulumi

from components.host import Host
from components.service import Service
from config.prometheus.jobs import EXPORTER_ARGUMENTS


class Cadvisor(Service):
    """cAdvisor over the engine's state; not privileged, but root, as the engine's files are root's."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "cadvisor",
            host,
            image="cadvisor",
            component="docker",
            user="0:0",
            command=EXPORTER_ARGUMENTS["cadvisor"],
            health=["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"],
            binds={
                "/": "/rootfs",
                "/var/run": "/var/run",
                "/sys": "/sys",
                "/var/lib/docker": "/var/lib/docker",
            },
            # Reports of processes killed for want of memory.
            devices=["/dev/kmsg"],
            add_capabilities=["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYSLOG"],
            opts=opts,
        )
