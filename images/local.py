"""Which of the wanted images the Docker engine has."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import docker

from config.settings import Images
from images.catalogue import CATALOGUE, Wanted, wanted
from images.reference import parse

# The places to look beyond the engine, in order, by `images.source`.
PLACES: Mapping[str, tuple[str, ...]] = {
    "auto": ("registry", "dockerfile", "bundle", "lab"),
    "registry": ("registry", "dockerfile"),
    "bundle": ("bundle",),
    "lab": ("bundle", "lab"),
}


class HasImages(Protocol):
    """The part of a stack's settings that matters here."""

    @property
    def images(self) -> Images:
        """Where images may come from."""


class StandIns:
    """Which images came from a bundle or from the lab for which wanted ones: a small file in the cache.

    Such an image has no registry's digest, and often another name, so that the engine alone could not say what it
    stands for. Only an image with the same ID under the same name counts: a record can become useless, but not wrong.
    """

    def __init__(self, cache: Path) -> None:
        """`cache` need not exist yet."""
        self._path = cache / "images.json"
        try:
            self._entries: list[dict[str, str]] = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            self._entries = []

    def find(self, name: str, tags: Mapping[str, str], place: str) -> list[str]:
        """The references of the images on the engine that came from `place` for `name`, the latest first."""
        return [
            entry["reference"]
            for entry in self._entries
            if entry["wanted"] == name and entry["place"] == place
            if tags.get(_familiar(entry["reference"])) == entry["id"]
        ]

    def add(self, name: str, reference: str, image_id: str, place: str) -> None:
        """Remember, for the next runs too, that `reference` came from `place` for `name`."""
        entry = {"wanted": name, "reference": reference, "id": image_id, "place": place}
        if entry not in self._entries:
            self._entries.insert(0, entry)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps(self._entries, indent=1))
            partial.replace(self._path)


def _familiar(reference: str) -> str:
    """A tagged reference as the engine lists it."""
    name = parse(reference)
    return f"{name.familiar}:{name.tag}"


@dataclass
class Local:
    """The images on the engine, from one request: IDs by tag, and repositories by digest."""

    tags: dict[str, str] = field(default_factory=dict)
    digests: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, engine: docker.DockerClient) -> "Local":
        """Ask the engine. (The SDK's `images.list` would ask again for every image.)"""
        found = cls()
        for image in engine.api.images():
            found.tags.update(dict.fromkeys(image["RepoTags"] or [], image["Id"]))
            for name in image["RepoDigests"] or []:
                repository, _, digest = name.partition("@")
                found.digests.setdefault(digest, []).append(repository)
        return found

    def find(self, image: Wanted, stand_ins: StandIns, places: Collection[str]) -> str | None:
        """The reference under which the engine has this very image, or one that came from one of `places` for it."""
        reference = image.reference
        if reference.digest in self.digests:
            # The same digest is the same image, wherever it came from; a mirror, for one.
            names = self.digests[reference.digest]
            name = parse(reference.familiar if reference.familiar in names else min(names))
            return str(replace(reference, host=name.host, path=name.path))
        if not reference.digest and f"{reference.familiar}:{reference.tag}" in self.tags:
            return image.name
        for place in places:
            for found in stand_ins.find(image.name, self.tags, place):
                # The lab's recipe may have changed since then; the image's name tells, and then it is looked for anew.
                if place != "lab" or found == _lab_reference(image.key):
                    return found
        return None


def _lab_reference(key: str) -> str | None:
    """What the lab calls the image that it would build for a key, None when it builds none."""
    # Imported here, as below: it is not needed where a registry answers.
    from lab import images as lab

    return lab.reference(key) if key in lab.KEYS else None


def local(
    keys: Iterable[str], settings: HasImages, engine: docker.DockerClient, cache: Path, path: Path = CATALOGUE
) -> dict[str, tuple[Wanted, str | None]]:
    """For each key what is wanted, and the reference of the image on the engine, None when there is none."""
    here, stand_ins, places = Local.of(engine), StandIns(cache), PLACES[settings.images.source]
    asked = wanted(keys, settings.images.overrides, path)
    return {key: (image, here.find(image, stand_ins, places)) for key, image in asked.items()}


def expected(
    keys: Iterable[str], settings: HasImages, engine: docker.DockerClient, cache: Path, path: Path = CATALOGUE
) -> dict[str, str]:
    """The references that `bring` would give if every image that is not here came from its registry; brings nothing."""
    return {
        key: reference or image.name for key, (image, reference) in local(keys, settings, engine, cache, path).items()
    }
