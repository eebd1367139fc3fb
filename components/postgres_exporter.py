"""postgres_exporter: one for each PostgreSQL server."""

import pulumi

from components.database_exporter import DatabaseExporter
from components.file import File
from components.host import Host
from config.backend import PostgresServer
from config.prometheus.jobs import CONNECT_TIMEOUT, STATEMENTS, STATEMENTS_FILE

_PASSWORD = "/run/config/postgres_password"  # noqa: S105 (a path)


class PostgresExporter(DatabaseExporter):
    """The exporter of one PostgreSQL server, under the DNS name that `server.exporter` gives."""

    def __init__(
        self,
        server: PostgresServer,
        host: Host,
        *,
        user: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        backend = host.settings.backend
        address = f"{server.host}:{server.port}/{backend.postgres_db}"
        assert backend.postgres_password, "config.settings refuses a backend without"
        super().__init__(
            server.exporter,
            host,
            image="postgres-exporter",
            component="database",
            user="65534:65534",
            env={
                "DATA_SOURCE_URI": f"{address}?sslmode={backend.postgres_sslmode}&connect_timeout={CONNECT_TIMEOUT}",
                "DATA_SOURCE_USER": user,
                "DATA_SOURCE_PASS_FILE": _PASSWORD,
            },
            password=File(_PASSWORD, backend.postgres_password.get_secret_value(), secret=True),
            files=[File(STATEMENTS_FILE, STATEMENTS)],
            port=9187,
            path="/",
            opts=opts,
        )
