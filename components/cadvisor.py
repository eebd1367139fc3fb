"""cAdvisor: CPU, memory, network and restarts of the containers."""

from dataclasses import replace

import pulumi

from components.container import Container, Mount, Reach, Stop, http_health
from components.host import Host
from components.service import Service
from config.prometheus.jobs import EXPORTER_ARGUMENTS

# Where cAdvisor looks for it.
_CONTAINERD = "/run/containerd/containerd.sock"
_WAIT = 'until wget -q -T 2 -O /dev/null http://docker-proxy:2375/_ping; do sleep 1; done; exec "$0" "$@"'
_CADVISOR = Container(
    image="cadvisor",
    component="docker",
    # Not privileged, but root, as the engine's files are root's.
    user="0:0",
    # It looks for Docker once, when it starts; without an answer it would never know a container.
    entrypoint=["/bin/sh", "-c", _WAIT, "/usr/bin/cadvisor", "-logtostderr"],
    command=EXPORTER_ARGUMENTS["cadvisor"],
    mounts=[Mount("/", "/rootfs"), *(Mount(path, path) for path in ("/sys", "/var/lib/docker"))],
    # The host's own /run would lie there, with the sockets of Docker and of containerd in it.
    tmpfs={"/rootfs/run": "size=64k"},
    health=http_health(8080, "/healthz"),
    capabilities=["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYSLOG"],
    # Reports of processes killed for want of memory.
    devices=["/dev/kmsg"],
    reach=Reach(engine=True),
    # It keeps nothing, and takes 10 s to end when it is asked to.
    stop=Stop(signal="SIGKILL"),
)


class Cadvisor(Service):
    """cAdvisor over the engine's state."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        socket = host.settings.cadvisor.containerd_socket
        asked = [Mount(socket, _CONTAINERD)] if socket else []
        container = replace(_CADVISOR, mounts=[*_CADVISOR.mounts, *asked])
        super().__init__("cadvisor", host, container, opts=opts)
