"""node_exporter: the host's CPU, memory, disks and network."""

import pulumi

from components.host import Host
from components.service import Service
from config.prometheus.jobs import EXPORTER_ARGUMENTS

# The files and directories of the host's /proc that the collectors read and every kernel has, one by one, with the
# network statistics of the host's first process. Mounting /proc whole would show this container's own network:
# /proc/net leads to the reader's namespace. Joining the host's network instead would publish the exporter there, and
# only once a host.
_PROC = ("1", "cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "sys", "vmstat")


class NodeExporter(Service):
    """node_exporter over the host's root file system, /proc and /sys."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "node-exporter",
            host,
            image="node-exporter",
            component="system",
            user="65534:65534",
            command=[
                "--path.rootfs=/host/root",
                "--path.procfs=/host/proc",
                "--path.sysfs=/host/sys",
                *EXPORTER_ARGUMENTS["node-exporter"],
                # Netlink would answer for this container's network namespace.
                "--no-collector.netdev.netlink",
            ],
            health=["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9100/"],
            # rprivate (the default): `rslave` needs a shared mount, which / is not everywhere.
            binds={
                "/": "/host/root",
                "/sys": "/host/sys",
                "/proc/1/net": "/host/proc/net",
                **{f"/proc/{entry}": f"/host/proc/{entry}" for entry in _PROC},
            },
            opts=opts,
        )
