"""The demo's Nginx."""

import pulumi

from components.container import Container, http_health
from components.demo.files import DIRECTORY, script
from components.host import Host
from components.service import Service

_CONTAINER = Container(
    image="nginx",
    component="api_gateway",
    user="101:101",
    entrypoint=["nginx"],
    # The file of errors that is built in cannot be written by this user.
    command=["-e", "/dev/stderr", "-c", f"{DIRECTORY}/nginx.conf"],
    files=[script("nginx/nginx.conf")],
    health=http_health(8080, "/healthz"),
)


class Nginx(Service):
    """Nginx in front of the API, which the demo's program serves and asks."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions) -> None:
        super().__init__("nginx", host, _CONTAINER, opts=opts)
