"""The demo's Redis."""

import pulumi

from components.demo.files import DIRECTORY, secrets
from components.demo.server import server
from components.host import Host
from components.service import Service

_PING = f"REDISCLI_AUTH=$(cat {DIRECTORY}/secrets/redis_password) redis-cli ping | grep -q PONG"


class Redis(Service):
    """Redis and the volume of its append-only file."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions) -> None:
        container = server(
            "redis",
            "redis",
            "redis/redis.sh",
            secrets(host.settings, "redis_password"),
            env={"REDIS_MAXMEMORY": "128mb"},
            health=["sh", "-c", _PING],
        )
        super().__init__("redis", host, container, data="/data", opts=opts)
