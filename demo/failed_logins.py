"""Log-ins to PostgreSQL that fail, for alerts on its log."""

from contextlib import suppress

import psycopg

from demo.load import Load
from demo.postgres_load import FAILURES, Times


class FailedLogins(Load):
    """Tries passwords that are wrong, and databases that do not exist, as often as the knobs say."""

    def _start(self) -> None:
        self._keep_working("postgres", self._settings.postgres, FAILURES, self._guess_password, self._miss_database)

    def _guess_password(self) -> None:
        for _ in Times(self._knobs, "postgres_failed_logins_per_minute", self._stop):
            self._fail(password="wrong")  # noqa: S106 (no password of anything)

    def _miss_database(self) -> None:
        for _ in Times(self._knobs, "postgres_fatal_errors_per_minute", self._stop):
            self._fail(dbname="missing")

    def _fail(self, **wrong: str) -> None:
        address = self._settings.postgres
        assert address is not None
        right = {"dbname": self._settings.postgres_database, "password": self._settings.postgres_password}
        with suppress(psycopg.OperationalError):
            psycopg.connect(
                host=address.host,
                port=address.port,
                user=self._settings.postgres_user,
                connect_timeout=5,
                **{**right, **wrong},  # type: ignore[arg-type] # all of them are strings
            ).close()
