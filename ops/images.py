"""Brings every image that a stack needs to the Docker engine before Pulumi starts, from wherever it can be had.

Pulumi's Docker provider pulls without a second attempt and overlooks errors in the middle of a pull, but looks at the
local engine first. So `bring` does it: the local engine, a mirror, the registry, a Dockerfile of ours, an offline
bundle, and `lab/`, which builds images from package mirrors. The first that has an image wins, and later runs stay
with it.
"""

import hashlib
import json
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import docker
import requests
import yaml
from docker.errors import APIError, BuildError, DockerException
from docker.utils.build import exclude_paths
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.settings import ROOT, Images, SettingsError
from ops import bundle
from ops.errors import OpsError
from ops.registry import Puller, PullError, Reference, Report, parse

CATALOGUE = ROOT / "config/images.yaml"

_PULLS_AT_ONCE = 3

# The places to look beyond the engine, in order, by `images.source`.
_PLACES: Mapping[str, tuple[str, ...]] = {
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


class ImagesError(OpsError):
    """Some images cannot be had. `tried`: for each key, what was tried and why it failed; `references`: the others."""

    def __init__(self, tried: Mapping[str, list[str]], references: Mapping[str, str], message: str) -> None:
        """`message` is the whole text."""
        super().__init__(message)
        self.tried = tried
        self.references = references


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
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"{path}: {key}: {problems}") from None
        if isinstance(image, _Built):
            directory = path.parent.parent / image.build
            tag = _fingerprint(directory)[:12]
            found[key] = Wanted(key, Reference("docker.io", f"library/monitoring-{key}", tag), directory)
        else:
            found[key] = Wanted(key, replace(parse(f"{image.repository}:{image.tag}"), digest=image.digest or ""))
    return found


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


class _StandIns:
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
class _Local:
    """The images on the engine, from one request: IDs by tag, and repositories by digest."""

    tags: dict[str, str] = field(default_factory=dict)
    digests: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, engine: docker.DockerClient) -> "_Local":
        """Ask the engine. (The SDK's `images.list` would ask again for every image.)"""
        found = cls()
        for image in engine.api.images():
            found.tags.update(dict.fromkeys(image["RepoTags"] or [], image["Id"]))
            for name in image["RepoDigests"] or []:
                repository, _, digest = name.partition("@")
                found.digests.setdefault(digest, []).append(repository)
        return found

    def find(self, image: Wanted, stand_ins: _StandIns, places: Collection[str]) -> str | None:
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
    here, stand_ins, places = _Local.of(engine), _StandIns(cache), _PLACES[settings.images.source]
    asked = wanted(keys, settings.images.overrides, path)
    return {key: (image, here.find(image, stand_ins, places)) for key, image in asked.items()}


def expected(
    keys: Iterable[str], settings: HasImages, engine: docker.DockerClient, cache: Path, path: Path = CATALOGUE
) -> dict[str, str]:
    """The references that `bring` would give if every image that is not here came from its registry; brings nothing."""
    return {
        key: reference or image.name for key, (image, reference) in local(keys, settings, engine, cache, path).items()
    }


def bring(
    keys: Iterable[str],
    settings: HasImages,
    engine: docker.DockerClient,
    cache: Path,
    report: Report,
    optional: Collection[str] = (),
    path: Path = CATALOGUE,
) -> dict[str, str]:
    """Bring the images of these keys to the engine; gives, for each key, the reference that a container must use.

    A key of `optional` that cannot be had is reported and left out. Raises ImagesError when another cannot be had,
    SettingsError for a wrong override, EngineError when the engine stops answering. `cache` is a directory that
    outlives the run.
    """
    state = local(keys, settings, engine, cache, path)
    run = _Run(settings.images, engine, cache, report, {key: image for key, (image, _) in state.items()})
    run.references = {key: reference for key, (_, reference) in state.items() if reference}
    if run.missing():
        report(f"images: {len(run.references)} of {len(state)} are here; to bring: {', '.join(run.missing())}")
    for place in _PLACES[settings.images.source]:
        if run.missing():
            run.look(place)
    lacking = [key for key in run.missing() if key not in optional]
    for key in run.missing():
        if key in optional:
            report(f"{key}: cannot be had, going on without it ({'; '.join(run.tried[key])})")
    if lacking:
        raise ImagesError({key: run.tried[key] for key in lacking}, run.references, _explain(lacking, run))
    return run.references


class _Run:
    """One run of `bring`: what is wanted, what is there by now, and what was tried for the rest."""

    def __init__(
        self, images: Images, engine: docker.DockerClient, cache: Path, report: Report, asked: Mapping[str, Wanted]
    ) -> None:
        """Start with nothing there."""
        self.images = images
        self.engine = engine
        self.cache = cache
        self.report = _one_at_a_time(report)
        self.asked = asked
        self.references: dict[str, str] = {}
        self.tried: dict[str, list[str]] = {key: [] for key in asked}
        self._stand_ins = _StandIns(cache)
        self._puller = Puller(engine, images.pull_timeout, self.report)

    def missing(self) -> list[str]:
        """The keys that have no image yet, in the order asked for."""
        return [key for key in self.asked if key not in self.references]

    def look(self, place: str) -> None:
        """Take what one place has of the missing images, and note why for those that it does not have."""
        {"registry": self._pull_all, "dockerfile": self._build_all, "bundle": self._load, "lab": self._lab_all}[place]()

    def _fail(self, key: str, problem: str) -> None:
        """Note and tell why a place does not have an image."""
        self.tried[key].append(problem)
        self.report(f"{key}: {problem}")

    def _pull_all(self) -> None:
        """Pull what is missing, a few at a time."""
        keys = [key for key in self.missing() if not self.asked[key].build]
        with ThreadPoolExecutor(_PULLS_AT_ONCE) as pool:
            pulls = {key: pool.submit(self._pull, key, self.asked[key].reference) for key in keys}
            try:
                for key, pull in pulls.items():
                    reference = pull.result()
                    if reference:
                        self.references[key] = reference
            except BaseException:
                self._puller.stop()
                pool.shutdown(cancel_futures=True)
                raise

    def _pull(self, key: str, reference: Reference) -> str | None:
        """Pull one image from the mirror or its own registry; None, with the reasons noted, when neither gives it."""
        places = [reference.mirrored(self.images.mirror)] if self.images.mirror else []
        for place in (*places, reference):
            if not self._puller.hosts.why_lost(place.host):
                self.report(f"{key}: pulling {place}")
            try:
                self._puller.pull(key, place)
            except PullError as error:
                self.tried[key].append(str(error))
                if error.attempts:
                    self.report(f"{key}: {error}")
                continue
            if reference.tag:
                # A pull by digest or through a mirror leaves no such tag; people and bundles go by it.
                self.engine.images.get(str(place)).tag(reference.repository, tag=reference.tag)
            self.report(f"{key}: here, from {place.host}")
            return str(place if reference.digest else reference)
        return None

    def _build_all(self) -> None:
        """Build what has a Dockerfile of ours, if its base images can be had."""
        for key in self.missing():
            image = self.asked[key]
            if image.build and (problem := self._build(key, image, image.build)):
                self._fail(key, f"build: {problem}")

    def _build(self, key: str, image: Wanted, directory: Path) -> str | None:
        """Do what `docker build` does; gives the reason when it fails."""
        dockerfile = directory / "Dockerfile"
        if not dockerfile.exists():
            return f"there is no {dockerfile}"
        here = _Local.of(self.engine)
        for base in base_images(dockerfile.read_text()):
            name = parse(base)
            present = name.digest in here.digests or f"{name.familiar}:{name.tag}" in here.tags
            if not present and not self._pull(key, name):
                return f"its base image {base} cannot be had"
        self.report(f"{key}: building from {dockerfile}")
        try:
            self.engine.images.build(
                path=str(directory), tag=image.name, rm=True, forcerm=True, timeout=self.images.pull_timeout
            )
        except BuildError as error:
            output = "".join(line.get("stream", "") for line in error.build_log)
            return f"{error.msg}: {' '.join(output.split())[-300:]}"
        except APIError as error:
            return f"{error.explanation or error}"
        except requests.exceptions.RequestException as error:
            return f"no word from the Docker engine for {self.images.pull_timeout} s: {error}"
        self.references[key] = image.name
        self.report(f"{key}: here, built from {dockerfile}")
        return None

    def _load(self) -> None:
        """Take what the bundle has, if one is set."""
        path = self.images.bundle
        if path is None:
            return
        keys = self.missing()
        try:
            entries = {entry.key: entry for entry in bundle.read(path)}
            fitting = {key: entries[key] for key in keys if key in entries and fits(self.asked[key], entries[key])}
            if fitting:
                self.report(f"images: loading {', '.join(fitting)} from {path}")
                bundle.load(path, self.engine, self.report)
        except bundle.BundleError as error:
            self.report(f"bundle: {error}")
            for key in keys:
                self.tried[key].append(f"bundle: {error}")
            return
        for key in keys:
            if key in fitting:
                self._use(key, fitting[key].reference, "bundle")
            else:
                self._fail(key, f"bundle: {path} has {entries[key].wanted if key in entries else 'no such image'}")

    def _lab_all(self) -> None:
        """Build the rest from package mirrors."""
        from lab import images as lab
        from lab.errors import LabError
        from lab.plan import prepare

        # All in one go, so that downloads go on beside the compiler; which one fails, and why, is asked below.
        with suppress(LabError, DockerException, OSError):
            keys = [key for key in self.missing() if key in lab.KEYS and key not in self.images.overrides]
            prepare([], keys, self.cache, self.report, self.engine)
        for key in self.missing():
            if key in self.images.overrides:
                self._fail(key, "lab: an override is not among what it builds")
            elif key not in lab.KEYS:
                self._fail(key, "lab: this is not among what it builds")
            else:
                try:
                    reference = lab.build(key, self.engine, self.cache, self.report)
                except (LabError, DockerException, OSError) as error:
                    self._fail(key, f"lab: {error}")
                else:
                    self._use(key, reference, "lab")

    def _use(self, key: str, reference: str, place: str) -> None:
        """Use an image that stands in for the wanted one, now and in the next runs."""
        self._stand_ins.add(self.asked[key].name, reference, str(self.engine.images.get(reference).id), place)
        self.references[key] = reference


def _one_at_a_time(report: Report) -> Report:
    """The same, for use from several threads."""
    lock = threading.Lock()

    def say(line: str) -> None:
        with lock:
            report(line)

    return say


def base_images(dockerfile: str) -> list[str]:
    """The images that a Dockerfile builds on, without its own earlier stages and `scratch`."""
    stages = {"scratch"}
    bases = []
    for match in re.finditer(
        r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", dockerfile, re.MULTILINE | re.IGNORECASE
    ):
        if match[1].lower() not in stages:
            bases.append(match[1])
        stages.add((match[2] or "").lower())
    return bases


def fits(image: Wanted, entry: bundle.Entry) -> bool:
    """Whether an image of a bundle is what is wanted: saved for the same reference, or for the same tag and digest."""
    if entry.wanted == image.name:
        return True
    if image.build:
        return False
    tag, _, digest = entry.wanted.partition("@")
    return tag == image.reference.tagged and image.reference.digest in ("", entry.digest or digest)


def save_bundle(
    path: Path, keys: Iterable[str], settings: HasImages, engine: docker.DockerClient, cache: Path, report: Report
) -> list[bundle.Entry]:
    """Bring the images of these keys and write them to a bundle. Raises what `bring` raises, and BundleError."""
    keys = list(keys)
    references = bring(keys, settings, engine, cache, report)
    names = {key: image.name for key, image in wanted(keys, settings.images.overrides).items()}
    return bundle.save(path, references, names, engine, report)


def load_bundle(path: Path, engine: docker.DockerClient, cache: Path, report: Report) -> list[bundle.Entry]:
    """Load a bundle, so that later runs of `bring` find its images on the engine. Raises BundleError."""
    entries = bundle.load(path, engine, report)
    stand_ins = _StandIns(cache)
    for entry in entries:
        stand_ins.add(entry.wanted, entry.reference, str(engine.images.get(entry.reference).id), "bundle")
    return entries


def _explain(lacking: list[str], run: _Run) -> str:
    """The message for images that cannot be had: what was tried for each, and the ways out."""
    lines = [f"{len(lacking)} of {len(run.asked)} images cannot be had:"]
    for key in lacking:
        lines.append(f"  {key} ({run.asked[key].name})")
        lines += [f"    {text}" for text in run.tried[key] or ["nothing was tried: no source is set"]]
    hosts = sorted({run.asked[key].reference.host for key in lacking if not run.asked[key].build})
    lines.append("Any of these helps:")
    if hosts:
        lines.append(
            f"  let the Docker engine reach {', '.join(hosts)} (proxy: see docs.docker.com/engine/daemon/proxy)"
        )
        lines.append("  use a mirror of it: pulumi config set imageMirror <host>/<path>")
    lines.append("  where a registry answers, `ops bundle save FILE`; here, pulumi config set imageBundle FILE")
    lines.append(f"  use another image: pulumi config set --path imageOverrides.{lacking[0]} <reference>")
    if run.images.source != "auto":
        lines.append(f"  allow every source: pulumi config set imageSource auto (it is {run.images.source})")
    return "\n".join(lines)


def pin(
    settings: HasImages,
    engine: docker.DockerClient,
    report: Report,
    keys: Collection[str] = (),
    path: Path = CATALOGUE,
) -> dict[str, str]:
    """Ask the registries for the digests of the tags in images.yaml and write them there; gives them by key.

    `keys` limits it to some images. Comments and everything else in the file stay. Digests that could be had are
    written also when others could not; then it raises ImagesError.
    """
    images = settings.images
    entries = {key: image for key, image in catalogue(path).items() if not image.build}
    for key in keys:
        if key not in entries:
            raise SettingsError(f"no image of a registry is called {key!r}; there are: {', '.join(entries)}")
    puller = Puller(engine, images.pull_timeout, report)
    digests: dict[str, str] = {}
    failed: dict[str, list[str]] = {}
    for key in keys or entries:
        reference = entries[key].reference
        # The mirror last: it may hold the same tag in another form, whose digest nobody else knows.
        places = [reference, reference.mirrored(images.mirror)] if images.mirror else [reference]
        problems = []
        for place in places:
            try:
                digests[key] = puller.digest(key, place)
            except PullError as error:
                problems.append(str(error))
                continue
            news = "unchanged" if digests[key] == reference.digest else f"was {reference.digest or 'not pinned'}"
            report(f"{key}: {reference.tagged} is {digests[key]} ({news})")
            break
        else:
            failed[key] = problems
    _write_digests(path, digests)
    if failed:
        lines = [f"  {key}: {problem}" for key, problems in failed.items() for problem in problems]
        raise ImagesError(failed, digests, "\n".join([f"{len(failed)} images were not pinned:", *lines]))
    return digests


def _write_digests(path: Path, digests: Mapping[str, str]) -> None:
    """Put digests in place of those in images.yaml, touching nothing else."""
    text = path.read_text()
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError(f"{path} is not a mapping")
    edits: list[tuple[int, int, str]] = []
    for key_node, entry in root.value:
        digest = digests.get(key_node.value)
        if digest:
            fields = {name.value: value for name, value in entry.value}
            if "digest" in fields:
                node = fields["digest"]
                edits.append((node.start_mark.index, node.end_mark.index, digest))
            else:
                end = fields["tag"].end_mark
                edits.append((end.index, end.index, f"\n  digest: {digest}"))
    for start, end, digest in sorted(edits, reverse=True):
        text = text[:start] + digest + text[end:]
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)
