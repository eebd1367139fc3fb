"""What the demo backend's containers read: scripts of `demo/`, and secrets."""

from pathlib import Path

from components.file import File
from config.project import ROOT
from config.settings import Settings

DIRECTORY = "/run/config"


def script(path: str) -> File:
    """The file at `path` inside `demo/`."""
    return File(f"{DIRECTORY}/{Path(path).name}", (ROOT / "demo" / path).read_text())


def secrets(settings: Settings, *names: str) -> list[File]:
    """The files of these secrets; one password for all roles of a database that nothing outside of its stack reaches.

    Raises KeyError for a name that is none of the demo's.
    """
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
    return [File(f"{DIRECTORY}/secrets/{name}", values[name].get_secret_value(), secret=True) for name in names]
