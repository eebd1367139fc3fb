"""The demo's PostgreSQL."""

from typing import Literal

import pulumi

from components.container import Stop
from components.demo.files import script, secrets
from components.demo.server import server
from components.host import Host
from components.service import Service

_DATA = "/var/lib/postgresql/data"


class Postgres(Service):
    """PostgreSQL's primary or its streaming replica, and the volume of its data."""

    def __init__(
        self,
        role: Literal["primary", "replica"],
        host: Host,
        *,
        opts: pulumi.ResourceOptions,
    ) -> None:
        backend = host.settings.backend
        container = server(
            "postgres",
            "database",
            f"postgres/{role}.sh",
            [
                script("postgres/postgresql.conf"),
                script("postgres/pg_hba.conf"),
                *secrets(host.settings, "postgres_password", "replicator_password", "exporter_password"),
            ],
            env={
                "PGDATA": f"{_DATA}/pgdata",
                "POSTGRES_DB": backend.postgres_db,
                "POSTGRES_USER": backend.postgres_user,
            },
            health=["pg_isready", "-q", "-h", "127.0.0.1", "-U", "exporter", "-d", backend.postgres_db],
            # SIGTERM would wait for clients to leave; SIGINT ends their sessions and writes a checkpoint.
            stop=Stop(grace=30, signal="SIGINT"),
        )
        service = "postgres" if role == "primary" else "postgres-replica"
        super().__init__(service, host, container, data=_DATA, opts=opts)
