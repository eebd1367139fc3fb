"""What the stack watches: the services of its demo backend, or those of a backend that already runs."""

from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from config.keys import Keys


@dataclass(frozen=True)
class PostgresServer:
    """One PostgreSQL server and the DNS name of the exporter that watches it."""

    host: str
    port: int
    role: Literal["primary", "replica"]
    exporter: str


@dataclass(frozen=True)
class RedisServer:
    """Redis and the DNS name of its exporter."""

    host: str
    port: int
    exporter: str
    password: SecretStr | None


@dataclass(frozen=True)
class Backend:
    """What is watched: the demo backend's services, or addresses of a backend that already runs."""

    postgres: tuple[PostgresServer, ...]
    postgres_db: str
    postgres_user: str
    postgres_password: SecretStr | None
    postgres_sslmode: str
    redis: RedisServer | None
    kong: tuple[str, ...]
    realtime: tuple[str, ...]
    realtime_secret: SecretStr | None
    websocket: tuple[str, ...]
    application: tuple[str, ...]
    endpoints: tuple[str, ...]


def backend_of(keys: Keys) -> Backend:
    """What the keys say is watched."""
    return _demo_backend(keys) if keys.demo else _existing_backend(keys)


def _demo_backend(keys: Keys) -> Backend:
    return Backend(
        postgres=(
            PostgresServer("postgres", 5432, "primary", "postgres-exporter"),
            PostgresServer("postgres-replica", 5432, "replica", "postgres-replica-exporter"),
        ),
        postgres_db=keys.postgres_db,
        postgres_user=keys.postgres_user,
        postgres_password=keys.postgres_password,
        postgres_sslmode=keys.postgres_sslmode,
        redis=RedisServer("redis", 6379, "redis-exporter", keys.redis_password),
        kong=("kong:8100",),
        realtime=("realtime:4000",),
        realtime_secret=keys.realtime_metrics_secret,
        websocket=("websocket:8081",),
        application=("app:8082",),
        endpoints=("http://nginx:8080/healthz",),
    )


def _existing_backend(keys: Keys) -> Backend:
    replicas = [address.rsplit(":", 1) for address in keys.postgres_replicas]
    return Backend(
        postgres=(
            PostgresServer(keys.postgres_host, keys.postgres_port, "primary", "postgres-exporter"),
            *(
                PostgresServer(host, int(port), "replica", f"postgres-replica-{number}-exporter")
                for number, (host, port) in enumerate(replicas, start=1)
            ),
        ),
        postgres_db=keys.postgres_db,
        postgres_user=keys.postgres_user,
        postgres_password=keys.postgres_password,
        postgres_sslmode=keys.postgres_sslmode,
        redis=RedisServer(keys.redis_host, keys.redis_port, "redis-exporter", keys.redis_password),
        kong=keys.kong_addresses,
        realtime=keys.realtime_addresses,
        realtime_secret=keys.realtime_metrics_secret,
        websocket=keys.websocket_addresses,
        application=keys.application_addresses,
        endpoints=keys.endpoints,
    )
