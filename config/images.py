"""Which images a stack uses, and by which reference."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml

from config.settings import PROJECT, ROOT, Settings, SettingsError


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "config/images.yaml").read_text())
    return table


def image_keys_of(settings: Settings) -> list[str]:
    """The keys of config/images.yaml that the stack needs."""
    keys = ["prometheus", "alertmanager", "loki", settings.log_agent, "node-exporter", "cadvisor"]
    keys += ["postgres-exporter", "redis-exporter"]
    keys += ["postgres", "redis", "demo"] if settings.demo else []
    keys += ["grafana"] if settings.grafana.mode == "container" else []
    return keys


def references(settings: Settings, keys: Iterable[str]) -> dict[str, str]:
    """Key -> reference: as the stack overrides it, else as images.yaml pins it.

    Raises SettingsError for an image that is built here, and so has no reference until somebody has built it.
    """
    return {key: settings.images.overrides.get(key) or pinned(key) for key in keys}


def pinned(key: str) -> str:
    """The reference `repository:tag@digest` of images.yaml; without the digest while none is pinned.

    Raises SettingsError for an image that is built here.
    """
    image = _table()[key]
    if "build" in image:
        raise SettingsError(
            f"the image {key} is in no registry; `ops up` builds it; without ops, build it on the Docker host: "
            f"docker build -t {PROJECT}-{key} {image['build']}, and name it: "
            f"pulumi config set --path {PROJECT}:imageOverrides.{key} {PROJECT}-{key}"
        )
    digest = f"@{image['digest']}" if image.get("digest") else ""
    return f"{image['repository']}:{image['tag']}{digest}"
