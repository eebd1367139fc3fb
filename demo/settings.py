"""The settings: addresses by flag or environment, secrets only as files.

Every flag --some-thing can also be given as DEMO_SOME_THING. Anything wrong ends the program with one line on
standard error and exit code 2.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

PROGRAM = "demo"
SECRETS = "/run/config/secrets"
PORTS = {"kong": 8100, "realtime": 4000, "websocket": 8081, "app": 8082, "api": 8083, "control": 8088}


class Address(NamedTuple):
    """Where a server is."""

    host: str
    port: int


@dataclass(frozen=True)
class Settings:
    """Everything the program is told. A server that is None is not to be used."""

    bind: str
    ports: Mapping[str, int]
    realtime_secret: str
    postgres: Address | None
    postgres_replica: Address | None
    postgres_database: str
    postgres_user: str
    postgres_password: str
    redis: Address | None
    redis_password: str
    nginx: Address | None


class _Parser(argparse.ArgumentParser):
    """A parser whose every option has an environment variable, and whose errors are one line."""

    def option(self, flag: str, default: str, help_text: str) -> None:
        """Add `flag` with its environment variable."""
        variable = "DEMO_" + flag.removeprefix("--").replace("-", "_").upper()
        self.add_argument(
            flag, default=os.environ.get(variable, default), help=f"{help_text} [{variable}; {default or 'none'}]"
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Return the settings from `arguments` (by default the command line) and the environment.

    Exits with code 2 and one line on standard error when one is wrong.
    """
    parser = _Parser(prog=PROGRAM, description="The demo backend: metrics, load and logs.", allow_abbrev=False)
    parser.option("--bind", "0.0.0.0", "address to listen on")
    for name, default in PORTS.items():
        parser.option(f"--{name}-port", str(default), f"port of {name}")
    parser.option("--realtime-secret-file", f"{SECRETS}/realtime_secret", "what signs the JWT for Realtime's metrics")
    parser.option("--postgres-host", "postgres", "PostgreSQL; empty is none")
    parser.option("--postgres-port", "5432", "its port")
    parser.option("--postgres-replica-host", "", "the streaming replica; empty is none")
    parser.option("--postgres-replica-port", "5432", "its port")
    parser.option("--postgres-database", "defillama", "database")
    parser.option("--postgres-user", "defillama", "user")
    parser.option("--postgres-password-file", f"{SECRETS}/postgres_password", "file with the user's password")
    parser.option("--redis-host", "redis", "Redis; empty is none")
    parser.option("--redis-port", "6379", "its port")
    parser.option("--redis-password-file", f"{SECRETS}/redis_password", "file with its password")
    parser.option("--nginx-host", "", "the Nginx in front of the API; empty is none")
    parser.option("--nginx-port", "8080", "its port")
    options = vars(parser.parse_args(arguments))

    def port(name: str) -> int:
        text = options[name]
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65535:
            parser.error(f"--{name.replace('_', '-')}: {text!r} is not a port (1 to 65535)")
        return int(text)

    def server(name: str) -> Address | None:
        host = options[f"{name}_host"]
        return Address(host, port(f"{name}_port")) if host else None

    def secret(name: str) -> str:
        path = options[name]
        flag = f"--{name.replace('_', '-')}"
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            parser.error(f"{flag}: cannot read {path}: {error}")
        if not text:
            parser.error(f"{flag}: {path} is empty")
        return text

    ports = {name: port(f"{name}_port") for name in PORTS}
    if len(set(ports.values())) < len(ports):
        parser.error(f"two services cannot share a port: {', '.join(f'--{n}-port {p}' for n, p in ports.items())}")
    postgres, redis = server("postgres"), server("redis")
    return Settings(
        bind=options["bind"],
        ports=ports,
        realtime_secret=secret("realtime_secret_file"),
        postgres=postgres,
        postgres_replica=server("postgres_replica"),
        postgres_database=options["postgres_database"],
        postgres_user=options["postgres_user"],
        postgres_password=secret("postgres_password_file") if postgres else "",
        redis=redis,
        redis_password=secret("redis_password_file") if redis else "",
        nginx=server("nginx"),
    )
