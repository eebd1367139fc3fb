"""Real load on PostgreSQL.

Each kind of load is a thread with its own connections, so that one knob does not disturb another: the
application's transactions, idle connections, deadlocks, slow queries, a long transaction, and the replica's
replay. All of them live through restarts of the server.
"""

import contextlib
import math
import random
import threading
import time
from typing import Any

import psycopg

from demo.journal import new_request_id
from demo.knobs import Knobs
from demo.load import STEP_SECONDS, ApplicationLoad
from demo.settings import Address
from demo.traffic import draw_count, wave

Connection = psycopg.Connection[Any]

PROTOCOLS = ("aave", "compound", "curve", "lido", "maker", "uniswap", "yearn", "gmx")
CHAINS = ("ethereum", "arbitrum", "optimism", "polygon", "base")

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS demo;
CREATE TABLE IF NOT EXISTS demo.protocols (
    name text PRIMARY KEY, tvl numeric NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS demo.prices (
    id bigserial PRIMARY KEY, protocol text NOT NULL, chain text NOT NULL, price numeric NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS prices_at ON demo.prices (at);
CREATE INDEX IF NOT EXISTS prices_protocol_at ON demo.prices (protocol, at);
CREATE TABLE IF NOT EXISTS demo.subscriptions (
    id bigserial PRIMARY KEY, channel text NOT NULL, protocol text NOT NULL, active boolean NOT NULL DEFAULT true,
    at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS demo.accounts (id integer PRIMARY KEY, balance bigint NOT NULL DEFAULT 0);
INSERT INTO demo.accounts (id) VALUES (1), (2) ON CONFLICT DO NOTHING;
"""
KEEP_ROWS_FOR = "10 minutes"
FAILURES = (psycopg.Error,)

_CLEAN_SECONDS = 60.0
_CHECK_SECONDS = 5.0
# Connections opened in one step, so that a big jump does not stall the others.
_OPEN_AT_ONCE = 10
# Connections the idle ones leave to the other kinds of load.
_ROOM = 4
# From here on PostgreSQL logs a statement too (log_min_duration_statement in postgresql.conf).
_SLOW_SECONDS = 0.25


class PostgresLoad(ApplicationLoad):
    """The load on the primary and, where there is one, the replica."""

    def _start(self) -> None:
        works = (self._transact, self._hold_idle, self._deadlock, self._query_slowly, self._hold_transaction)
        self._keep_working("postgres", self._settings.postgres, FAILURES, *works)
        self._keep_working("postgres-replica", self._settings.postgres_replica, FAILURES, self._pause_replica)

    def _connect(self, address: Address | None, name: str) -> Connection:
        """Connect, with time limits that make a server which is gone look gone within ten seconds."""
        assert address is not None
        return psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=self._settings.postgres_database,
            user=self._settings.postgres_user,
            password=self._settings.postgres_password,
            application_name=f"demo-{name}",
            autocommit=True,
            connect_timeout=5,
            keepalives_idle=10,
            keepalives_interval=3,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )

    def _primary(self, name: str) -> Connection:
        return self._connect(self._settings.postgres, name)

    # The application's transactions

    def _transact(self) -> None:
        with self._primary("application") as connection:
            self._prepare(connection)
            self._journal.info("postgres_connected", "transactions run", backend="postgres")
            last, cleaned = time.monotonic(), -math.inf
            while not self._stop.wait(STEP_SECONDS):
                now = time.monotonic()
                rate = self._knobs.number("postgres_transaction_rate") * wave(time.time())
                for _ in range(draw_count(rate, min(now - last, 1.0))):
                    if self._stop.is_set():
                        break
                    self._one_transaction(connection)
                last = now
                if now - cleaned > _CLEAN_SECONDS:
                    self._clean(connection)
                    cleaned = now

    def _prepare(self, connection: Connection) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            # Two demos that start at once must not both create the schema.
            cursor.execute("SELECT pg_advisory_xact_lock(716253)")
            for statement in SCHEMA.split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
            for name in PROTOCOLS:
                cursor.execute("INSERT INTO demo.protocols (name, tvl) VALUES (%s, 0) ON CONFLICT DO NOTHING", [name])

    def _clean(self, connection: Connection) -> None:
        """Delete what is old, so that the tables stay small."""
        for table in ("prices", "subscriptions"):
            connection.execute(f"DELETE FROM demo.{table} WHERE at < now() - interval '{KEEP_ROWS_FOR}'")

    def _one_transaction(self, connection: Connection) -> None:
        kinds = (self._store_prices, self._subscribe, self._unsubscribe, self._read_prices, self._read_tvl)
        work = random.choices(kinds, (30, 10, 8, 40, 12))[0]
        # Some change their mind, as applications do.
        with contextlib.suppress(_ChangedMindError), connection.transaction():
            work(connection)
            if random.random() < self._knobs.number("postgres_rollback_ratio"):
                raise _ChangedMindError

    def _store_prices(self, connection: Connection) -> None:
        protocol = random.choice(PROTOCOLS)
        for chain in random.sample(CHAINS, 2):
            self._query(
                connection,
                "INSERT INTO demo.prices (protocol, chain, price) VALUES (%s, %s, %s)",
                protocol,
                chain,
                round(random.lognormvariate(4, 1), 4),
            )
        self._query(
            connection,
            "UPDATE demo.protocols SET tvl = %s, updated_at = now() WHERE name = %s",
            round(random.lognormvariate(20, 1), 2),
            protocol,
        )

    def _subscribe(self, connection: Connection) -> None:
        statement = "INSERT INTO demo.subscriptions (channel, protocol) VALUES (%s, %s)"
        self._query(connection, statement, "email", random.choice(PROTOCOLS))

    def _unsubscribe(self, connection: Connection) -> None:
        self._query(
            connection,
            "UPDATE demo.subscriptions SET active = false WHERE id = "
            "(SELECT min(id) FROM demo.subscriptions WHERE active)",
        )

    def _read_prices(self, connection: Connection) -> None:
        self._query(
            connection,
            "SELECT chain, avg(price) FROM demo.prices WHERE protocol = %s AND at > now() - interval '2 minutes' "
            "GROUP BY chain",
            random.choice(PROTOCOLS),
        )

    def _read_tvl(self, connection: Connection) -> None:
        self._query(connection, "SELECT name, tvl FROM demo.protocols ORDER BY tvl DESC LIMIT 5")

    def _query(self, connection: Connection, statement: str, *values: object) -> None:
        """Run one query of the application and count it."""
        began = time.perf_counter()
        delay = self._knobs.number("query_seconds")
        if delay > 0:
            connection.execute("SELECT pg_sleep(%s)", [delay])
        connection.execute(statement, values or None)
        self._application.count_query(time.perf_counter() - began)

    # Idle connections

    def _hold_idle(self) -> None:
        held: list[Connection] = []
        limit = 0
        checked = time.monotonic()
        try:
            while not self._stop.wait(STEP_SECONDS):
                wanted = int(self._knobs.number("postgres_connections"))
                if wanted > 0 and not held:
                    held.append(self._primary("idle"))
                    limit = _connection_limit(held[0]) - _ROOM
                while len(held) > wanted:
                    held.pop().close()
                for _ in range(min(min(wanted, limit) - len(held), _OPEN_AT_ONCE)):
                    held.append(self._primary("idle"))
                if held and time.monotonic() - checked > _CHECK_SECONDS:
                    # Connections that lie idle do not notice that their server has gone.
                    held[0].execute("SELECT 1")
                    checked = time.monotonic()
        finally:
            for connection in held:
                connection.close()

    # Deadlocks

    def _deadlock(self) -> None:
        for _ in self._times("postgres_deadlocks_per_minute"):
            with self._primary("deadlock") as one, self._primary("deadlock") as other:
                both_locked = threading.Barrier(2, timeout=10)
                rows = ((one, 1, 2), (other, 2, 1))
                threads = [
                    threading.Thread(target=_lock_two_rows, args=(connection, first, second, both_locked), daemon=True)
                    for connection, first, second in rows
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

    # Slow queries

    def _query_slowly(self) -> None:
        with self._primary("reports") as connection:
            for _ in self._times("postgres_slow_queries_per_minute"):
                self._report(connection)

    def _report(self, connection: Connection) -> None:
        seconds = self._knobs.number("postgres_slow_query_seconds")
        request_id = new_request_id()
        self._journal.info("report_requested", "a report over all protocols", request_id)
        began = time.perf_counter()
        # The id goes along as a comment: PostgreSQL's own log line then belongs to the same story.
        connection.execute(f"SELECT count(*), pg_sleep({seconds}) FROM demo.protocols /* request_id={request_id} */")
        taken = time.perf_counter() - began
        self._application.count_query(taken)
        say = self._journal.warn if taken > _SLOW_SECONDS else self._journal.info
        say("report_finished", f"the report took {taken:.3f} s", request_id, duration_seconds=round(taken, 3))

    # A long transaction

    def _hold_transaction(self) -> None:
        while not self._stop.wait(STEP_SECONDS):
            if self._knobs.number("postgres_long_transaction_seconds") == 0:
                continue
            with self._primary("long-transaction") as connection, connection.transaction():
                connection.execute("SELECT count(*) FROM demo.protocols")
                began = time.monotonic()
                while not self._stop.wait(STEP_SECONDS):
                    if time.monotonic() - began > self._knobs.number("postgres_long_transaction_seconds"):
                        break

    # The replica's replay

    def _pause_replica(self) -> None:
        with self._connect(self._settings.postgres_replica, "replica") as connection:
            checked = -math.inf
            known: bool | None = None
            while not self._stop.wait(STEP_SECONDS):
                wanted = self._knobs.flag("postgres_replica_paused")
                # A restarted replica has forgotten that it is to pause.
                if wanted == known and time.monotonic() - checked < _CHECK_SECONDS:
                    continue
                row = connection.execute("SELECT pg_is_wal_replay_paused()").fetchone()
                if row is not None and row[0] != wanted:
                    connection.execute(f"SELECT pg_wal_replay_{'pause' if wanted else 'resume'}()")
                    self._journal.info("replica_replay", "paused" if wanted else "resumed", backend="postgres-replica")
                known, checked = wanted, time.monotonic()

    def _times(self, knob: str) -> "Times":
        return Times(self._knobs, knob, self._stop)


class Times:
    """Iterates as often a minute as a knob says, until `stop` is set."""

    def __init__(self, knobs: Knobs, knob: str, stop: threading.Event) -> None:
        self._knobs = knobs
        self._knob = knob
        self._stop = stop
        self._due = 0.0
        self._last = time.monotonic()

    def __iter__(self) -> "Times":
        """Return itself."""
        return self

    def __next__(self) -> None:
        """Wait until it is time again; end when `stop` is set."""
        while not self._stop.wait(STEP_SECONDS):
            now = time.monotonic()
            # Never more than one is due: what could not be done in time is not made up for.
            self._due = min(self._due + self._knobs.number(self._knob) / 60 * (now - self._last), 1)
            self._last = now
            if self._due >= 1:
                self._due = 0.0
                return
        raise StopIteration


class _ChangedMindError(Exception):
    """Rolls a transaction back."""


def _lock_two_rows(connection: Connection, first: int, second: int, both_locked: threading.Barrier) -> None:
    """Lock one row, wait until the other thread has the other one, then want that too.

    The deadlock is what is wanted; any other error will meet the next attempt, which reports it.
    """
    statement = "UPDATE demo.accounts SET balance = balance + 1 WHERE id = %s"
    with contextlib.suppress(psycopg.Error, threading.BrokenBarrierError), connection.transaction():
        connection.execute(statement, [first])
        both_locked.wait()
        connection.execute(statement, [second])


def _connection_limit(connection: Connection) -> int:
    """Return how many connections the server grants this role."""
    row = connection.execute(
        "SELECT least(CASE WHEN rolconnlimit < 0 THEN NULL ELSE rolconnlimit END, "
        "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int) "
        "FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    return int(row[0])
