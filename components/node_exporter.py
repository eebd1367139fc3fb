"""node_exporter: the host's CPU, memory, disks and network."""

import pulumi

from components.container import Container, Mount, http_health
from components.host import Host
from components.service import Service
from config.prometheus.jobs import EXPORTER_ARGUMENTS

# The files and directories of the host's /proc that the collectors read and every kernel has, one by one, with the
# network statistics of the host's first process. Mounting /proc whole would show this container's own network:
# /proc/net leads to the reader's namespace. Joining the host's network instead would publish the exporter there, and
# only once a host.
_PROC = ("1", "cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "sys", "vmstat")

_NODE_EXPORTER = Container(
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
    # rprivate (the default): `rslave` needs a shared mount, which / is not everywhere.
    mounts=[
        Mount("/", "/host/root"),
        Mount("/sys", "/host/sys"),
        Mount("/proc/1/net", "/host/proc/net"),
        *(Mount(f"/proc/{entry}", f"/host/proc/{entry}") for entry in _PROC),
    ],
    health=http_health(9100, "/"),
)


class NodeExporter(Service):
    """node_exporter over the host's root file system, /proc and /sys."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("node-exporter", host, _NODE_EXPORTER, opts=opts)
