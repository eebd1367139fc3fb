"""The demo with its real PostgreSQL, replica and Redis: the load, the drills, and what happens when they die."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from config.prometheus.jobs import STATEMENTS
from tests.unit.demo_process import Demo, free_ports, running, wait_for
from tests.unit.demo_servers import PATH, POSTGRES_USER, Servers, missing, running_servers

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    yield from running_servers()


@pytest.fixture(scope="module")
def shared(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    yield from running(Demo(tmp_path_factory.mktemp("demo"), *servers.flags()))


@pytest.fixture
def demo(shared: Demo) -> Demo:
    """A running demo with every knob at its default, at work."""
    shared.reset()
    wait_for(lambda: shared.page("app").sum("defillama_queries_total") > 0, "queries")
    return shared


# The load


def test_queries_and_look_ups_are_real(servers: Servers, demo: Demo) -> None:
    def commits() -> float:
        statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'defillama'"
        return float(servers.query(servers.primary, statement, "exporter") or 0)

    demo.set(postgres_transaction_rate=50, redis_command_rate=400, cache_hit_ratio=0.5)
    time.sleep(1)
    committed, began = commits(), time.monotonic()
    asked = servers.redis_info()
    before = demo.page("app")
    time.sleep(4)
    after = demo.page("app")
    answered = servers.redis_info()
    seconds = time.monotonic() - began
    assert (commits() - committed) / seconds == pytest.approx(50, rel=0.4)
    queries = after.sum("defillama_queries_total") - before.sum("defillama_queries_total")
    assert queries / seconds > 40
    assert after.sum("defillama_query_duration_seconds_count") == after.sum("defillama_queries_total")
    for result, field in (("hit", "keyspace_hits"), ("miss", "keyspace_misses")):
        counted = after.sum("defillama_cache_requests_total", result=result) - before.sum(
            "defillama_cache_requests_total", result=result
        )
        assert counted == pytest.approx(answered[field] - asked[field], rel=0.3)
        assert counted / seconds == pytest.approx(180, rel=0.4)


def test_rollbacks(servers: Servers, demo: Demo) -> None:
    statement = "SELECT xact_rollback FROM pg_stat_database WHERE datname = 'defillama'"
    before = servers.query(servers.primary, statement, "exporter")
    demo.set(postgres_transaction_rate=50, postgres_rollback_ratio=1)
    wait_for(lambda: servers.query(servers.primary, statement, "exporter") > before + 50, "rollbacks")


def test_query_seconds_makes_queries_slow(demo: Demo) -> None:
    demo.set(query_seconds=0.3)
    time.sleep(1)
    spent = demo.rate("app", "defillama_query_duration_seconds_sum", 4)
    count = demo.rate("app", "defillama_query_duration_seconds_count", 4)
    assert spent / count > 0.25


def test_old_rows_go(servers: Servers, demo: Demo) -> None:
    old = "INSERT INTO demo.prices (protocol, chain, price, at) VALUES ('old', 'x', 1, now() - interval '1 day')"
    assert servers.query(servers.primary, f"{old} RETURNING 1") == 1
    # It cleans up once a minute, and when it has connected anew.
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'demo-application'"
    assert servers.query(servers.primary, end) == 1
    count = "SELECT count(*) FROM demo.prices WHERE protocol = 'old'"
    wait_for(lambda: servers.query(servers.primary, count) == 0, "old rows to go")


def test_no_password_shows_in_arguments_or_environment(servers: Servers, demo: Demo) -> None:
    for process in (servers.primary.process, servers.replica.process, servers.redis.process, demo.process):
        for name in ("cmdline", "environ"):
            assert "a'b" not in Path(f"/proc/{process.pid}/{name}").read_text()
    for path in (servers.directory / "replica/data").rglob("*.conf"):
        assert "a'b" not in path.read_text()


def test_data_of_another_major_version_is_kept_aside(servers: Servers) -> None:
    data = servers.directory / "older/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    for path in (data.parent, data, data / "PG_VERSION"):
        shutil.chown(path, POSTGRES_USER)
    (port,) = free_ports(1)
    server = servers.run("older", "primary.sh", port)
    wait_for(lambda: servers.can_connect(server), f"the new database:\n{server.log()}", 60)
    assert (data.parent / "data.9/PG_VERSION").read_text() == "9\n"
    assert "the data is of PostgreSQL 9" in server.log()
    server.stop(signal.SIGINT)


# The drills


def test_idle_connections_leave_room_for_the_exporter(servers: Servers, demo: Demo) -> None:
    count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'defillama'"
    demo.set(postgres_connections=500, postgres_deadlocks_per_minute=30)
    wait_for(lambda: servers.query(servers.primary, count, "exporter") >= 45, "connections")
    time.sleep(6)
    assert 45 <= servers.query(servers.primary, count, "exporter") <= 47
    assert demo.rate("app", "defillama_queries_total") > 0
    demo.reset()
    wait_for(lambda: servers.query(servers.primary, count, "exporter") < 8, "connections to go")


def test_deadlocks(servers: Servers, demo: Demo) -> None:
    statement = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'defillama'"
    before = servers.query(servers.primary, statement, "exporter")
    demo.set(postgres_deadlocks_per_minute=40)
    wait_for(lambda: servers.query(servers.primary, statement, "exporter") >= before + 3, "deadlocks", 20)
    assert "ERROR:  deadlock detected" in servers.primary.log()


def test_slow_queries_are_logged_with_the_id_of_their_request(servers: Servers, demo: Demo) -> None:
    demo.set(postgres_slow_queries_per_minute=60, postgres_slow_query_seconds=0.4)

    def reports() -> list[str]:
        return [line["request_id"] for line in demo.logs() if line["event"] == "report_finished"]

    already = len(reports())
    wait_for(lambda: len(reports()) >= already + 2, "slow queries")
    request_id = reports()[-1]
    story = [line["event"] for line in demo.logs() if line["request_id"] == request_id]
    assert story == ["report_requested", "report_finished"]
    line = next(line for line in servers.primary.log().splitlines() if request_id in line)
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\] sqlstate=00000 user=defillama db=defillama "
        r"app=demo-reports client=127\.0\.0\.1 LOG:  duration: 4\d\d\.\d+ ms  statement: SELECT count",
        line,
    )


def test_a_long_transaction_stays_open(servers: Servers, demo: Demo) -> None:
    age = "SELECT max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    demo.set(postgres_long_transaction_seconds=60)
    wait_for(lambda: (servers.query(servers.primary, age, "exporter") or 0) > 3, "a long transaction")
    demo.set(postgres_long_transaction_seconds=0)
    wait_for(lambda: (servers.query(servers.primary, age, "exporter") or 0) < 3, "it to end")


def test_a_paused_replica_lags(servers: Servers, demo: Demo) -> None:
    # The statement of postgres_exporter's pg_replication_lag_seconds.
    lag = (
        "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 "
        "WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
        "ELSE GREATEST(0, EXTRACT(EPOCH FROM (now() - pg_last_xact_replay_timestamp()))) END"
    )
    demo.set(postgres_replica_paused=True)
    wait_for(lambda: servers.query(servers.replica, lag, "exporter") > 5, "lag", 30)
    demo.set(postgres_replica_paused=False)
    wait_for(lambda: servers.query(servers.replica, lag, "exporter") < 2, "the lag to go")


def test_ballast_fills_redis_evicts_and_goes(servers: Servers, demo: Demo) -> None:
    maximum = float(servers.redis_info()["maxmemory"])

    def filled() -> float:
        return float(servers.redis_info()["used_memory"]) / maximum

    def evictions() -> int:
        return int(servers.redis_info()["evicted_keys"])

    empty = filled()
    demo.set(redis_fill_bytes=31_500_000)
    wait_for(lambda: filled() > 0.92, "memory to fill", 30)
    evicted = evictions()
    time.sleep(3)
    assert (evictions(), filled() < 1) == (evicted, True)
    demo.set(redis_fill_bytes=45_000_000)
    wait_for(lambda: evictions() > evicted, "evictions", 30)
    evicted, began = evictions(), time.monotonic()
    time.sleep(4)
    assert (evictions() - evicted) / (time.monotonic() - began) > 100
    demo.set(redis_fill_bytes=0)
    wait_for(lambda: filled() < empty + 0.1, "memory to be free")


def test_redis_clients_leave_room_for_the_exporter(servers: Servers, demo: Demo) -> None:
    def clients() -> int:
        return int(servers.redis_info()["connected_clients"])

    demo.set(redis_connections=5000)
    wait_for(lambda: clients() >= 50, "clients")
    time.sleep(2)
    assert clients() <= 56
    demo.reset()
    wait_for(lambda: clients() < 10, "clients to go")


# Trouble


def test_it_lives_through_the_death_of_all_its_servers(servers: Servers, demo: Demo) -> None:
    demo.set(postgres_connections=10, redis_connections=10, postgres_replica_paused=True)
    idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'demo-idle'"
    paused = "SELECT pg_is_wal_replay_paused()"
    wait_for(lambda: servers.query(servers.primary, idle, "exporter") == 10, "idle connections")
    servers.client().set("kept", "yes")
    # Redis writes its file once a second.
    time.sleep(1.5)
    kept = servers.query(servers.primary, "SELECT max(id) FROM demo.prices")
    seen = len(demo.logs())
    for server in (servers.primary, servers.replica, servers.redis):
        server.kill()
    time.sleep(3)
    assert demo.page("app").series
    assert demo.rate("kong", "kong_http_requests_total") > 0
    for server in (servers.primary, servers.replica, servers.redis):
        server.start()
    servers.wait()
    troubles = [line["backend"] for line in demo.logs()[seen:] if line["event"] == "backend_trouble"]
    assert "redis" in troubles
    assert len(troubles) == len(set(troubles)), "at most one line a minute for each server"
    wait_for(lambda: demo.rate("app", "defillama_queries_total", 1) > 0, "queries", 30)
    wait_for(lambda: demo.rate("app", "defillama_cache_requests_total", 1) > 0, "look-ups", 30)
    wait_for(lambda: servers.query(servers.primary, idle, "exporter") == 10, "idle connections", 30)
    wait_for(lambda: servers.redis_info()["connected_clients"] > 10, "idle clients", 30)
    wait_for(lambda: servers.query(servers.replica, paused), "the replica to be paused again", 30)
    assert servers.query(servers.primary, "SELECT max(id) FROM demo.prices") >= kept
    assert servers.client().get("kept") == b"yes"


def test_servers_stop_gracefully_under_load(servers: Servers, demo: Demo) -> None:
    demo.set(postgres_connections=20, postgres_transaction_rate=50)
    time.sleep(2)
    for server, number in (
        (servers.primary, signal.SIGINT),
        (servers.replica, signal.SIGINT),
        (servers.redis, signal.SIGTERM),
    ):
        code, seconds = server.stop(number)
        assert (code, seconds < 10) == (0, True)
    assert servers.primary.log().rstrip().endswith("database system is shut down")
    for server in (servers.primary, servers.replica, servers.redis):
        server.start()
    servers.wait()
    assert "database system was not properly shut down" not in servers.primary.log().rpartition("is shut down")[2]


# The replica's data


def _refetched(servers: Servers, reason: str) -> bool:
    return f": {reason}\n" in servers.replica.log().rpartition("replica: fetching the data")[2]


def test_a_damaged_replica_fetches_its_data_anew(servers: Servers) -> None:
    servers.replica.kill()
    (servers.directory / "replica/data/global/pg_control").write_bytes(b"")
    servers.replica.start()
    wait_for(lambda: _refetched(servers, "its control file cannot be read"), "the replica to notice")
    servers.wait()


def test_a_replica_that_cannot_start_fetches_its_data_anew(servers: Servers) -> None:
    servers.replica.kill()
    # Only the server itself finds out about this one: by not starting.
    with (servers.directory / "replica/data/postgresql.auto.conf").open("a") as settings:
        settings.write("damaged\n")
    reason = "the server ended three times within a minute"
    for _ in range(6):
        servers.replica.start()
        wait_for(lambda: servers.replica.process.poll() is not None or _refetched(servers, reason), "an end", 60)
        if servers.replica.process.poll() is None:
            break
    servers.wait()


def test_a_replica_whose_wal_is_gone_fetches_its_data_anew(servers: Servers) -> None:
    servers.replica.stop(signal.SIGINT)
    servers.superuser(servers.primary, "ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    servers.superuser(servers.primary, "ALTER SYSTEM SET max_wal_size = '32MB'")
    servers.superuser(servers.primary, "SELECT pg_reload_conf()")
    status = "SELECT wal_status FROM pg_replication_slots"
    for _ in range(12):
        servers.superuser(servers.primary, "CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
        servers.superuser(servers.primary, "SELECT pg_switch_wal()")
        servers.superuser(servers.primary, "DROP TABLE t")
        servers.superuser(servers.primary, "CHECKPOINT")
    assert servers.superuser(servers.primary, status) == "lost"
    servers.superuser(servers.primary, "ALTER SYSTEM RESET ALL")
    servers.superuser(servers.primary, "SELECT pg_reload_conf()")
    servers.replica.start()
    wait_for(lambda: _refetched(servers, "the primary no longer has the WAL it needs"), "the replica to notice")
    servers.wait()


def test_the_replica_of_another_database_fetches_its_data_anew(servers: Servers) -> None:
    servers.replica.stop(signal.SIGINT)
    servers.primary.stop(signal.SIGINT)
    shutil.rmtree(servers.directory / "primary/data")
    servers.primary.start()
    servers.replica.start()
    # It starts with what it has while the primary is away; the next start finds out.
    wait_for(lambda: servers.can_connect(servers.primary), "the new primary", 60)
    servers.replica.stop(signal.SIGINT)
    servers.replica.start()
    wait_for(lambda: _refetched(servers, "it is the copy of another database"), "the replica to notice")
    servers.wait()


# First start


def test_a_first_start_that_was_cut_short_is_made_good(servers: Servers) -> None:
    first = servers.run("cut-short", "primary.sh", servers.primary.port + 1)
    time.sleep(0.7)
    first.kill()
    wait_for(lambda: not _processes(servers.directory / "cut-short"), "its processes to end")
    assert not (servers.directory / "cut-short/data").exists()
    first.start()
    wait_for(lambda: servers.can_connect(first), f"the second start:\n{first.log()}", 30)
    assert first.stop(signal.SIGINT)[0] == 0


def _processes(directory: Path) -> bool:
    return subprocess.run(["pgrep", "-f", str(directory)], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("script", "secret"),
    [("primary.sh", "exporter"), ("replica.sh", "replicator"), ("redis.sh", "redis")],
)
def test_a_missing_secret_is_named(tmp_path: Path, script: str, secret: str, servers: Servers) -> None:
    for name in ("config", "config/secrets"):
        (tmp_path / name).mkdir()
    shutil.copy(servers.directory / "config" / script, tmp_path / "config")
    for name in ("postgres", "replicator", "exporter", "redis"):
        (tmp_path / "config/secrets" / f"{name}_password").write_text("" if name == secret else "x")
    command = ["/bin/sh", str(tmp_path / "config" / script)]
    environment = {"PATH": PATH, "PGDATA": str(tmp_path / "data")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=10)
    assert result.returncode == 1
    name = script.removesuffix(".sh")
    assert result.stderr == f"{name}: {tmp_path}/config/secrets/{secret}_password: missing or empty\n"


@pytest.mark.parametrize("script", ["primary.sh", "replica.sh"])
def test_a_missing_data_directory_is_named(script: str, servers: Servers) -> None:
    command = ["/bin/sh", str(servers.directory / "config" / script)]
    result = subprocess.run(command, env={"PATH": PATH}, capture_output=True, text=True, check=False, timeout=10)
    assert result.returncode != 0
    assert "PGDATA: set it to a directory inside the data volume" in result.stderr


def test_the_exporter_is_given_the_text_of_statements_without_values(servers: Servers) -> None:
    exporter = ("exporter", "defillama")
    servers.query(servers.primary, "SELECT count(*) FROM pg_class WHERE relname = 'value-1' /* value-2 */")
    servers.query(servers.primary, "SELECT 1, -- value-3\n 2")
    # The scripts that make the roles do without a trace; somebody's hand may not.
    servers.superuser(servers.primary, "CREATE ROLE by_hand PASSWORD 'x'; DROP ROLE by_hand")
    recorded = servers.query(servers.primary, "SELECT string_agg(query, ' ') FROM pg_stat_statements", *exporter)
    assert "PASSWORD '" in recorded
    assert "value-2" in recorded
    wanted = yaml.safe_load(STATEMENTS)["pg_statement"]["query"]
    given = servers.query(servers.primary, f"SELECT string_agg(statement, E'\\n') FROM ({wanted}) AS given", *exporter)
    lines = given.splitlines()
    assert "SELECT count(*) FROM pg_class WHERE relname = $1" in lines
    assert "SELECT $1," in lines
    assert max(map(len, lines)) <= 200
    assert not {word for word in ("'", "PASSWORD", "ROLE", "value-", "/*", "--") if word in given}


def test_passwords_that_changed_are_those_of_the_data_that_was_there(servers: Servers) -> None:
    """A new secret, or one that was lost with the state: the data keeps, and the roles have the new password."""
    statement = "SELECT rolpassword FROM pg_authid WHERE rolname = 'exporter'"
    before = servers.superuser(servers.primary, statement)
    secret = Path(servers.secret("exporter"))
    old = secret.read_text()
    try:
        secret.write_text("another's one")
        servers.primary.stop(signal.SIGINT)
        servers.primary.start()
        wait_for(lambda: servers.can_connect(servers.primary), "the primary")
        with psycopg.connect(
            host="127.0.0.1", port=servers.primary.port, user="exporter", password="another's one", dbname="defillama"
        ) as connection:
            shown = connection.execute("SELECT count(*) FROM pg_stat_statements(true) WHERE query ~ 'another'")
            assert shown.fetchone() == (0,), "no password among the statements"
    finally:
        secret.write_text(old)
        servers.primary.stop(signal.SIGINT)
        servers.primary.start()
        servers.wait()
    assert servers.superuser(servers.primary, statement) != before
    # Where they are the same, nothing is set again, and no start takes longer for it.
    count = servers.primary.log().count("setting the roles' passwords")
    servers.primary.stop(signal.SIGINT)
    servers.primary.start()
    servers.wait()
    assert servers.primary.log().count("setting the roles' passwords") == count == 2
