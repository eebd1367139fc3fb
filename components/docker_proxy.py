"""The proxy through which the log agent and cAdvisor ask Docker: they may look, and do nothing else."""

import pulumi

from components.container import Container, Mount, Reach, Stop, http_health
from components.file import File
from components.host import Host
from components.service import Service
from config.docker_proxy import PORT, docker_proxy_files

_DIRECTORY = "/usr/local/etc/haproxy"
_CONFIG = f"{_DIRECTORY}/haproxy.cfg"
_SOCKET = "/var/run/docker.sock"

_PROXY = Container(
    image="haproxy",
    component="monitoring",
    # The engine's socket is root's; it has no capability beside that.
    user="0:0",
    entrypoint=["haproxy"],
    command=["-db", "-f", _CONFIG],
    files=[File(f"{_DIRECTORY}/{path}", content) for path, content in docker_proxy_files().items()],
    mounts=[Mount(_SOCKET, _SOCKET)],
    health=http_health(PORT, "/_ping"),
    # Nobody else meets it, and it meets nobody else.
    reach=Reach(core=False, engine=True),
    # It keeps nothing. The image's own signal waits for connections to end, and those to Docker's events never do.
    stop=Stop(signal="SIGKILL"),
)


class DockerProxy(Service):
    """HAProxy in front of Docker's socket, on a network of its own."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("docker-proxy", host, _PROXY, check=["haproxy", "-c", "-f", _CONFIG], opts=opts)
