"""The demo's Redis."""

import pulumi

from components.container import Container
from components.demo.files import DIRECTORY, script, secrets
from components.host import Host
from components.service import Service

_PING = f"REDISCLI_AUTH=$(cat {DIRECTORY}/secrets/redis_password) redis-cli ping | grep -q PONG"


class Redis(Service):
    """Redis and the volume of its append-only file."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions) -> None:
        container = Container(
            image="redis",
            component="redis",
            user="999:999",
            entrypoint=["/bin/sh"],
            command=[f"{DIRECTORY}/redis.sh"],
            env={"REDIS_MAXMEMORY": "128mb"},
            files=[script("redis/redis.sh"), *secrets(host.settings, "redis_password")],
            health=["sh", "-c", _PING],
        )
        super().__init__("redis", host, container, data="/data", opts=opts)
