"""The demo backend: real PostgreSQL and Redis under load, and a program that speaks the metrics of the rest."""

from pathlib import Path

import pulumi

from components.file import File
from components.host import Host
from components.service import Service
from config.settings import ROOT, Settings

_CONFIG = "/run/config"


def _file(path: str) -> File:
    return File(f"{_CONFIG}/{Path(path).name}", (ROOT / "demo" / path).read_text())


def _secrets(settings: Settings, *names: str) -> list[File]:
    """One password for the roles of a database that nothing outside of its stack can reach."""
    backend = settings.backend
    assert backend.postgres_password, "config.settings refuses a demo without"
    assert backend.redis, "a demo has a Redis"
    assert backend.redis.password, "config.settings refuses a demo without"
    assert backend.realtime_secret, "config.settings refuses a demo without"
    values = {
        "postgres_password": backend.postgres_password,
        "replicator_password": backend.postgres_password,
        "exporter_password": backend.postgres_password,
        "redis_password": backend.redis.password,
        "realtime_secret": backend.realtime_secret,
    }
    return [File(f"{_CONFIG}/secrets/{name}", values[name].get_secret_value(), secret=True) for name in names]


class Postgres(Service):
    """PostgreSQL's primary or its streaming replica, and the volume of its data."""

    def __init__(
        self, role: str, host: Host, *, depends_on: tuple[Service, ...] = (), opts: pulumi.ResourceOptions
    ) -> None:
        settings = host.settings
        service = "postgres" if role == "primary" else "postgres-replica"
        super().__init__(
            service,
            host,
            image="postgres",
            component="database",
            user="999:999",
            entrypoint=["/bin/sh"],
            command=[f"{_CONFIG}/{role}.sh"],
            env={
                "PGDATA": "/var/lib/postgresql/data/pgdata",
                "POSTGRES_DB": settings.backend.postgres_db,
                "POSTGRES_USER": settings.backend.postgres_user,
            },
            files=[
                *(_file(f"postgres/{name}") for name in (f"{role}.sh", "postgresql.conf", "pg_hba.conf")),
                *_secrets(settings, "postgres_password", "replicator_password", "exporter_password"),
            ],
            health=["pg_isready", "-q", "-h", "127.0.0.1", "-U", "exporter", "-d", settings.backend.postgres_db],
            data="/var/lib/postgresql/data",
            # SIGTERM would wait for clients to leave; SIGINT ends their sessions and writes a checkpoint.
            stop_signal="SIGINT",
            grace=30,
            depends_on=depends_on,
            opts=opts,
        )


class Redis(Service):
    """Redis and the volume of its append-only file."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions) -> None:
        super().__init__(
            "redis",
            host,
            image="redis",
            component="redis",
            user="999:999",
            entrypoint=["/bin/sh"],
            command=[f"{_CONFIG}/redis.sh"],
            env={"REDIS_MAXMEMORY": "128mb"},
            files=[_file("redis/redis.sh"), *_secrets(host.settings, "redis_password")],
            health=["sh", "-c", f"REDISCLI_AUTH=$(cat {_CONFIG}/secrets/redis_password) redis-cli ping | grep -q PONG"],
            data="/data",
            opts=opts,
        )


class Demo(Service):
    """The program that drives the load and speaks for Kong, Realtime, the WebSocket server and the application."""

    def __init__(self, host: Host, *, depends_on: tuple[Service, ...], opts: pulumi.ResourceOptions) -> None:
        settings = host.settings
        super().__init__(
            "demo",
            host,
            image="demo",
            entrypoint=["python3", "-m", "demo"],
            component="business",
            user="10002:10002",
            command=[
                "--postgres-replica-host=postgres-replica",
                f"--postgres-database={settings.backend.postgres_db}",
                f"--postgres-user={settings.backend.postgres_user}",
            ],
            files=_secrets(settings, "postgres_password", "redis_password", "realtime_secret"),
            health=["python3", "-m", "demo.healthcheck"],
            aliases=["kong", "realtime", "websocket", "app"],
            depends_on=depends_on,
            opts=opts,
        )


class DemoBackend(pulumi.ComponentResource):
    """All of the demo backend. Gives `postgres`, `replica` and `redis` for their exporters to wait for."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring:demo:Backend", "demo-backend", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.postgres = Postgres("primary", host, opts=child)
        self.replica = Postgres("replica", host, depends_on=(self.postgres,), opts=child)
        self.redis = Redis(host, opts=child)
        self.demo = Demo(host, depends_on=(self.postgres, self.redis), opts=child)
        self.register_outputs({})
