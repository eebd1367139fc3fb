"""Runs the demo's PostgreSQL primary and replica and its Redis as real processes, by the demo's own scripts."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.unit.demo_process import ROOT, free_ports, wait_for

BINARIES = "/usr/lib/postgresql/15/bin"
PATH = f"{os.environ['PATH']}:{BINARIES}"
# With every character that a shell, SQL, a password file or a Redis configuration could take amiss.
PASSWORD = "a'b\"c\\d:e $f`g"
POSTGRES_USER = "postgres"


def missing() -> str:
    """Return why the servers cannot be run here, or nothing."""
    for name in ("postgres", "initdb", "pg_basebackup", "psql", "redis-server"):
        if shutil.which(name, path=PATH) is None:
            return f"{name} is not installed (Debian: postgresql-15, redis-server)"
    if os.geteuid() != 0:
        return "not root: PostgreSQL's scripts need to become the user postgres"
    return ""


class Server:
    """One server, started by one of the demo's scripts as an ordinary user."""

    def __init__(self, directory: Path, script: str, port: int, environment: dict[str, str], *options: str) -> None:
        self.port = port
        self.log_path = directory / f"{environment.pop('NAME')}.log"
        command = ["setpriv", f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}", "--clear-groups"]
        self._command = [*command, "/bin/sh", str(directory / "config" / script), *options]
        self._environment = {"PATH": PATH, "TMPDIR": str(directory), **environment}
        self._directory = directory
        self.start()

    def start(self) -> None:
        """Start it, once more."""
        with self.log_path.open("a") as log:
            self.process = subprocess.Popen(
                self._command, env=self._environment, cwd=self._directory, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Let it die of SIGKILL, as a container does when its time is up."""
        self.process.kill()
        self.process.wait()
        # The processes PostgreSQL has forked notice by themselves; a container would take them along.
        time.sleep(0.5)

    def stop(self, number: int) -> tuple[int, float]:
        """Send it a signal; return its exit code and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=30), time.monotonic() - began

    def log(self) -> str:
        """Return what it has written."""
        return self.log_path.read_text()


class Servers:
    """A primary, its replica and a Redis."""

    def __init__(self) -> None:
        # Not below pytest's own directory: that can only be entered by root.
        self.directory = Path(tempfile.mkdtemp(prefix="demo-servers-"))
        config = self.directory / "config"
        (config / "secrets").mkdir(parents=True)
        for script in (*(ROOT / "demo/postgres").iterdir(), ROOT / "demo/redis/redis.sh"):
            shutil.copy(script, config)
        for name in ("postgres", "replicator", "exporter", "redis"):
            (config / "secrets" / f"{name}_password").write_text(f"{PASSWORD}{name}\n")
        for name in ("primary", "replica", "redis"):
            (self.directory / name).mkdir()
        shutil.chown(self.directory, POSTGRES_USER)
        for path in self.directory.rglob("*"):
            shutil.chown(path, POSTGRES_USER)
        primary, replica, cache = free_ports(3)
        self.primary = self.run("primary", "primary.sh", primary)
        self.replica = self.run("replica", "replica.sh", replica)
        self.redis = Server(
            self.directory,
            "redis.sh",
            cache,
            {
                "NAME": "redis",
                "REDIS_PORT": str(cache),
                "REDIS_DATA": str(self.directory / "redis"),
                "REDIS_MAXMEMORY": "32mb",
                "REDIS_MAXCLIENTS": "60",
            },
        )
        self.wait()

    def run(self, name: str, script: str, port: int, *options: str) -> Server:
        """Start a PostgreSQL server with its data in the directory `name`."""
        environment = {"NAME": name, "PGDATA": str(self.directory / name / "data")}
        if script == "replica.sh":
            environment |= {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(self.primary.port)}
        options = ("-c", f"port={port}", "-c", f"unix_socket_directories={self.directory}", *options)
        return Server(self.directory, script, port, environment, *options)

    def wait(self) -> None:
        """Wait until all three take connections and the replica streams."""
        wait_for(lambda: self.can_connect(self.primary), f"the primary:\n{self.primary.log()}", 60)
        wait_for(self.streams, "the replica to stream", 60)
        wait_for(self.redis_answers, "Redis")

    def can_connect(self, server: Server) -> bool:
        """Whether the server lets the application's user in."""
        try:
            self.query(server, "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def streams(self) -> bool:
        """Whether the replica streams from the primary and answers."""
        count = self.query(
            self.primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "exporter"
        )
        return count == 1 and self.can_connect(self.replica)

    def query(self, server: Server, statement: str, user: str = "defillama", database: str = "") -> Any:
        """Return the first value of a statement's first row, asked as the application or another role."""
        secret = "postgres" if user == "defillama" else user
        database = database or ("defillama" if user == "defillama" else "postgres")
        with psycopg.connect(
            host="127.0.0.1",
            port=server.port,
            user=user,
            password=f"{PASSWORD}{secret}",
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            row = connection.execute(statement).fetchone()
        return row and row[0]

    def superuser(self, server: Server, statement: str) -> str:
        """Run a statement as the superuser, as someone inside the container would."""
        command = ["setpriv", f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}", "--clear-groups", "psql", "-X"]
        command += ["-Atq", "-h", str(self.directory), "-p", str(server.port), "-U", "postgres", "-c", statement]
        return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": PATH}).stdout.strip()

    def client(self) -> "redis.Redis":
        """Return a client of Redis."""
        return redis.Redis(host="127.0.0.1", port=self.redis.port, password=f"{PASSWORD}redis", socket_timeout=5)

    def redis_info(self) -> dict[str, Any]:
        """Return what Redis says about itself."""
        info = self.client().info()
        assert isinstance(info, dict)
        return info

    def redis_answers(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def secret(self, name: str) -> str:
        """Return the file of a secret."""
        return str(self.directory / "config/secrets" / f"{name}_password")

    def flags(self) -> list[str]:
        """Return the demo's flags for these servers."""
        return [
            "--postgres-host=127.0.0.1",
            f"--postgres-port={self.primary.port}",
            f"--postgres-password-file={self.secret('postgres')}",
            "--postgres-replica-host=127.0.0.1",
            f"--postgres-replica-port={self.replica.port}",
            "--redis-host=127.0.0.1",
            f"--redis-port={self.redis.port}",
            f"--redis-password-file={self.secret('redis')}",
        ]

    def end(self) -> None:
        """End all three and remove what they wrote."""
        for server, number in (
            (self.replica, signal.SIGINT),
            (self.primary, signal.SIGINT),
            (self.redis, signal.SIGTERM),
        ):
            if server.process.poll() is None:
                server.stop(number)
        shutil.rmtree(self.directory)


def running_servers() -> Iterator[Servers]:
    """Yield the servers and end them afterwards."""
    servers = Servers()
    try:
        yield servers
    finally:
        servers.end()
