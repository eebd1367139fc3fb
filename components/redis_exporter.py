"""redis_exporter."""

import json

import pulumi

from components.database_exporter import DatabaseExporter
from components.file import File
from components.host import Host

_PASSWORDS = "/run/config/redis_passwords.json"  # noqa: S105 (a path)


class RedisExporter(DatabaseExporter):
    """The exporter of Redis; its password file maps the server's address to the password."""

    def __init__(self, host: Host, *, opts: pulumi.ResourceOptions | None = None) -> None:
        redis = host.settings.backend.redis
        assert redis, "config.settings refuses a backend without"
        address = f"redis://{redis.host}:{redis.port}"
        password = redis.password.get_secret_value() if redis.password else ""
        super().__init__(
            "redis-exporter",
            host,
            image="redis-exporter",
            component="redis",
            user="59000:59000",
            env={"REDIS_ADDR": address, "REDIS_PASSWORD_FILE": _PASSWORDS},
            password=File(_PASSWORDS, json.dumps({address: password}), secret=True),
            port=9121,
            path="/health",
            opts=opts,
        )
