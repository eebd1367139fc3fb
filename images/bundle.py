"""Offline bundles: all images of a stack in one file, for a machine that no registry can be reached from.

A bundle is a tar of two files. `images.tar` is what `docker save` writes, so `docker load` reads it without this
program. `bundle.json` says what is in it; it comes last, so that a file that was cut off has none.
"""

import hashlib
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from images.catalogue import Wanted
from images.errors import ImageError
from images.puller import message, records
from images.reference import parse
from lab.process import Report

_VERSION = 1
_IMAGES = "images.tar"
_INDEX = "bundle.json"
_CHUNK = 1 << 20
_BLOCK = 512
# Seconds without a word from the engine, which unpacks every image before the first byte of its answer
# (moby: image/tarexport).
_SILENCE = 900.0
_PROGRESS_EVERY = 5.0


class BundleError(ImageError):
    """A bundle cannot be written, or a file is not a whole and unchanged bundle; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """One image of a bundle.

    `wanted` is what it stands for (the pinned reference of images.yaml), `reference` the name it has once it is
    loaded, `digest` the registry's digest when it came from one (else empty), `size` in bytes, `layers` the digests of
    its contents.
    """

    key: str
    wanted: str
    reference: str
    image_id: str
    digest: str
    size: int
    layers: tuple[str, ...]


def save(
    path: Path, references: Mapping[str, str], wanted: Mapping[str, str], engine: docker.DockerClient, report: Report
) -> list[Entry]:
    """Write the images of `references` (key to the reference on this engine) to `path`, whole or not at all.

    `wanted` says for each key what the image stands for. Raises BundleError.
    """
    entries = [_describe(key, wanted[key], reference, engine) for key, reference in sorted(references.items())]
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            _write(file, entries, engine, _Progress("bundle: saved", None, report))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    report(f"bundle: {len(entries)} images in {path} ({path.stat().st_size / 1e6:.0f} MB)")
    return entries


def read(path: Path) -> list[Entry]:
    """What a bundle says it holds; quick, whatever its size. Raises BundleError."""
    with _opened(path) as bundle:
        return _index(path, bundle)[0]


def load(path: Path, engine: docker.DockerClient, report: Report) -> list[Entry]:
    """Check the whole file, give its images to the engine, and check that they arrived as they were saved.

    Raises BundleError; a file that is not exactly what was saved never reaches the engine.
    """
    with _opened(path) as bundle:
        entries, checksum, platform = _index(path, bundle)
        here = _platform(engine)
        if platform != here:
            raise BundleError(f"{path} has images for {platform}, the Docker engine runs {here}: save a bundle there")
        size = bundle.getmember(_IMAGES).size
        found = hashlib.sha256()
        for chunk in _read(path, bundle, _Progress("bundle: checked", size, report)):
            found.update(chunk)
        if found.hexdigest() != checksum:
            raise BundleError(f"{path} is damaged (its checksum is wrong): copy or save it again")
        _send(path, _read(path, bundle, _Progress("bundle: loaded", size, report)), engine)
    for entry in entries:
        _verify(path, entry, engine)
    report(f"bundle: {len(entries)} images loaded from {path}")
    return entries


def _platform(engine: docker.DockerClient) -> str:
    """What the engine runs, such as `linux/amd64`."""
    version = engine.version()
    return f"{version['Os']}/{version['Arch']}"


def _describe(key: str, wanted: str, reference: str, engine: docker.DockerClient) -> Entry:
    """Look an image up and make sure that it has the tag it will be saved under."""
    name = parse(reference)
    if not name.tag:
        raise BundleError(f"{key}: {reference} has no tag, and an image is loaded by its tag alone")
    try:
        image = engine.images.get(reference)
    except ImageNotFound:
        raise BundleError(f"{key}: {reference} is not on the Docker engine; `ops up` brings it") from None
    # An image that was pulled by digest has no tag yet.
    image.tag(name.repository, tag=name.tag)
    repo_digest = next((d for d in image.attrs["RepoDigests"] or [] if d.startswith(f"{name.familiar}@")), "")
    return Entry(
        key=key,
        wanted=wanted,
        reference=name.tagged if name.digest else reference,
        image_id=str(image.id),
        digest=name.digest or repo_digest.partition("@")[2],
        size=int(image.attrs["Size"]),
        layers=_layers(image.attrs),
    )


def _layers(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The digests of an inspected image's contents."""
    return tuple(attributes["RootFS"].get("Layers") or ())


def _write(file: IO[bytes], entries: list[Entry], engine: docker.DockerClient, progress: Callable[[int], None]) -> None:
    """Stream the images into the open file and put the index after them."""
    file.write(bytes(_BLOCK))  # the header of images.tar, whose size is known only afterwards
    checksum = hashlib.sha256()
    size = 0
    for chunk in _saved(entries, engine):
        file.write(chunk)
        checksum.update(chunk)
        size += len(chunk)
        progress(len(chunk))
    file.write(bytes(-size % _BLOCK))
    index = {
        "version": _VERSION,
        "platform": _platform(engine),
        "sha256": checksum.hexdigest(),
        "images": [asdict(entry) for entry in entries],
    }
    text = json.dumps(index, indent=2).encode()
    file.write(_header(_INDEX, len(text)) + text + bytes(-len(text) % _BLOCK))
    file.write(bytes(2 * _BLOCK))
    file.seek(0)
    file.write(_header(_IMAGES, size))


def _header(name: str, size: int) -> bytes:
    """The header of one file of a tar."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = int(time.time())
    return info.tobuf(tarfile.GNU_FORMAT)


def _saved(entries: list[Entry], engine: docker.DockerClient) -> Iterator[bytes]:
    """What `docker save` gives for all these images together, so that layers they share are there once."""
    api = engine.api
    names = sorted({parse(entry.reference).tagged for entry in entries})
    try:
        with api.get(
            f"{api.base_url}/v{api.api_version}/images/get", params={"names": names}, stream=True, timeout=_SILENCE
        ) as response:
            if not response.ok:
                raise BundleError(f"the Docker engine cannot save the images: {message(response)}")
            yield from response.iter_content(_CHUNK)
    except requests.exceptions.RequestException as error:
        raise BundleError(f"the Docker engine stopped while it saved the images: {error}") from error


def _opened(path: Path) -> tarfile.TarFile:
    """The tar file, open for reading."""
    try:
        return tarfile.open(path, "r:")
    except FileNotFoundError:
        raise BundleError(f"there is no bundle at {path}") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except tarfile.TarError as error:
        raise BundleError(f"{path} is not a bundle of `ops bundle save`: {error}") from error


def _index(path: Path, bundle: tarfile.TarFile) -> tuple[list[Entry], str, str]:
    """The entries of an open bundle, the checksum of its images and the platform they run on."""
    try:
        file = bundle.extractfile(_INDEX)
        index: dict[str, Any] = json.load(file) if file else {}
        bundle.getmember(_IMAGES)
        if index["version"] != _VERSION:
            raise BundleError(f"{path} has version {index['version']}, this program reads {_VERSION}: save it again")
        entries = [Entry(**{**image, "layers": tuple(image["layers"])}) for image in index["images"]]
        return entries, str(index["sha256"]), str(index["platform"])
    except (KeyError, TypeError, ValueError, tarfile.TarError):
        raise BundleError(f"{path} is cut off, or not a bundle of `ops bundle save`: copy or save it again") from None


def _read(path: Path, bundle: tarfile.TarFile, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of the images, chunk by chunk."""
    file = bundle.extractfile(_IMAGES)
    try:
        while file and (chunk := file.read(_CHUNK)):
            progress(len(chunk))
            yield chunk
    except (OSError, tarfile.TarError) as error:
        raise BundleError(f"{path} cannot be read to its end: {error}") from error


def _send(path: Path, chunks: Iterator[bytes], engine: docker.DockerClient) -> None:
    """Do what `docker load` does."""
    api = engine.api
    try:
        with api.post(
            f"{api.base_url}/v{api.api_version}/images/load", data=chunks, stream=True, timeout=_SILENCE
        ) as response:
            if not response.ok:
                raise BundleError(f"the Docker engine refuses the images of {path}: {message(response)}")
            for record in records(response):
                if "error" in record:
                    raise BundleError(f"the Docker engine cannot load {path}: {record['error']}")
    except (requests.exceptions.RequestException, DockerException) as error:
        raise BundleError(f"the Docker engine stopped while it loaded {path}: {error}") from error


def fits(image: Wanted, entry: Entry) -> bool:
    """Whether an image of a bundle is what is wanted: saved for the same reference, or for the same tag and digest."""
    if entry.wanted == image.name:
        return True
    if image.build:
        return False
    tag, _, digest = entry.wanted.partition("@")
    return tag == image.reference.tagged and image.reference.digest in ("", entry.digest or digest)


def same_image(entry: Entry, image_id: str, layers: tuple[str, ...]) -> bool:
    """Whether an image on the engine is the one that was saved.

    The ID says so, except between Docker's two image stores, which compute it differently; the contents say so then.
    """
    return image_id == entry.image_id or (bool(layers) and layers == entry.layers)


def _verify(path: Path, entry: Entry, engine: docker.DockerClient) -> None:
    """Raise BundleError unless the engine has the entry's image under the entry's name."""
    try:
        image = engine.images.get(entry.reference)
    except (ImageNotFound, APIError) as error:
        raise BundleError(f"{path}: {entry.reference} is not there after loading: {error}") from None
    if not same_image(entry, str(image.id), _layers(image.attrs)):
        raise BundleError(f"{path}: {entry.reference} is {image.id} after loading, {entry.image_id} was saved")


class _Progress:
    """Counts bytes and tells about them every few seconds."""

    def __init__(self, what: str, total: int | None, report: Report) -> None:
        """`total` in bytes; None when it is not known beforehand, as layers that images share are saved once."""
        self._what, self._total, self._report = what, total, report
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, size: int) -> None:
        """Add `size` bytes."""
        self._done += size
        if time.monotonic() - self._told >= _PROGRESS_EVERY:
            self._told = time.monotonic()
            total = f" of {self._total / 1e6:.0f}" if self._total else ""
            self._report(f"{self._what} {self._done / 1e6:.0f}{total} MB")
