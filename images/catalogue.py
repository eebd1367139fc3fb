"""config/images.yaml: which images a stack uses, and by which reference. Nothing else reads that file."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from docker.utils.build import exclude_paths
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.errors import SettingsError
from config.project import ROOT
from config.settings import Settings
from config.wording import in_words
from images.reference import Reference, parse

CATALOGUE = ROOT / "config/images.yaml"


class _Pinned(BaseModel):
    """An entry of images.yaml that comes from a registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    repository: str
    tag: str
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")


class _Built(BaseModel):
    """An entry of images.yaml that is built from a directory of ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    build: str


@dataclass(frozen=True)
class Wanted:
    """What a stack wants under one key: an image of a registry, or (`build`) one made from a directory's Dockerfile."""

    key: str
    reference: Reference
    build: Path | None = None

    @property
    def name(self) -> str:
        """What identifies it, and the container's `image` when nothing has to stand in for it."""
        return f"{self.reference.familiar}:{self.reference.tag}" if self.build else str(self.reference)


def catalogue(path: Path = CATALOGUE) -> dict[str, Wanted]:
    """Every image of images.yaml by key. Raises ValueError that names the key of a malformed entry."""
    entries = yaml.safe_load(path.read_text())
    found = {}
    for key, entry in entries.items():
        try:
            image = _Built.model_validate(entry) if "build" in entry else _Pinned.model_validate(entry)
        except ValidationError as error:
            raise ValueError(f"{path}: {key}: {in_words(error)}") from None
        if isinstance(image, _Built):
            directory = path.parent.parent / image.build
            tag = _fingerprint(directory)[:12]
            found[key] = Wanted(key, Reference("docker.io", f"library/monitoring-{key}", tag), directory)
        else:
            found[key] = Wanted(key, replace(parse(f"{image.repository}:{image.tag}"), digest=image.digest or ""))
    return found


def image_keys() -> tuple[str, ...]:
    """The keys of config/images.yaml, for `config.settings.load` to know which images can be overridden."""
    return tuple(catalogue())


def wanted(keys: Iterable[str], overrides: Mapping[str, str], path: Path = CATALOGUE) -> dict[str, Wanted]:
    """What a stack wants for these keys, its overrides applied. Raises SettingsError for a wrong key or reference."""
    known = catalogue(path)
    keys = list(keys)
    for key in (*overrides, *keys):
        if key not in known:
            raise SettingsError(f"no image is called {key!r} (imageOverrides); there are: {', '.join(known)}")
    found = {key: known[key] for key in keys}
    for key in found.keys() & overrides.keys():
        try:
            found[key] = Wanted(key, parse(overrides[key]))
        except ValueError as error:
            raise SettingsError(f"imageOverrides.{key}: {error}") from None
    return found


def _fingerprint(directory: Path) -> str:
    """A hash over what a build of this directory reads."""
    ignore = directory / ".dockerignore"
    patterns = [*ignore.read_text().split(), "**/__pycache__"] if ignore.exists() else ["**/__pycache__"]
    found = hashlib.sha256()
    for name in sorted(exclude_paths(str(directory), patterns)):
        file = directory / name
        if file.is_file():
            found.update(f"{name}\0{file.stat().st_mode & 0o111}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return found.hexdigest()


def image_keys_of(settings: Settings) -> list[str]:
    """The keys of config/images.yaml that the stack needs."""
    keys = ["prometheus", "alertmanager", "loki", settings.log_agent, "haproxy", "node-exporter", "cadvisor"]
    keys += ["postgres-exporter", "redis-exporter"]
    keys += ["blackbox-exporter"] if settings.backend.endpoints else []
    keys += ["postgres", "redis", "nginx", "demo"] if settings.demo else []
    keys += ["grafana"] if settings.grafana.mode == "container" else []
    return keys


def tags(settings: Settings) -> dict[str, str]:
    """Key -> tag of each image that the stack uses, as it overrides it, else as images.yaml pins it.

    What is built here has no version, and is left out.
    """
    images = wanted(image_keys_of(settings), settings.images.overrides)
    return {key: image.reference.tag for key, image in images.items() if not image.build}


def pinned(key: str) -> str:
    """The reference of images.yaml, `repository:tag@digest` or without the digest; or what our own build is called."""
    return catalogue()[key].name


def references(settings: Settings, keys: Iterable[str]) -> dict[str, str]:
    """Key -> reference: as the stack overrides it, else as images.yaml pins it, or as a build of ours is called."""
    known = catalogue()
    return {key: settings.images.overrides.get(key) or known[key].name for key in keys}


def builds(settings: Settings, keys: Iterable[str]) -> dict[str, Path]:
    """Key -> directory of the Dockerfile of each image that no registry has, and that nothing stands in for.

    With `ops` something always does: it brings images before Pulumi starts.
    """
    known = catalogue()
    found = {key: known[key].build for key in keys if key not in settings.images.overrides}
    return {key: build for key, build in found.items() if build}
