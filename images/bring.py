"""Brings every image that a stack needs to the Docker engine before Pulumi starts, from wherever it can be had.

Pulumi's Docker provider pulls without a second attempt and overlooks errors in the middle of a pull, but looks at the
local engine first. So `bring` does it: the local engine, a mirror, the registry, a Dockerfile of ours, an offline
bundle, and `lab/`, which builds images from package mirrors. The first that has an image wins, and later runs stay
with it.
"""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import DockerException

from config.settings import Images
from config.way_out import set_with
from images import bundle, dockerfile
from images.catalogue import CATALOGUE, Wanted, wanted
from images.errors import ImagesError
from images.faults import PullError
from images.local import PLACES, HasImages, Local, StandIns, local
from images.puller import Puller
from images.reference import Reference, parse
from lab.process import Report, one_line_at_a_time

_PULLS_AT_ONCE = 3


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
    for place in PLACES[settings.images.source]:
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
        self.report = one_line_at_a_time(report)
        self.asked = asked
        self.references: dict[str, str] = {}
        self.tried: dict[str, list[str]] = {key: [] for key in asked}
        self._stand_ins = StandIns(cache)
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
        file = directory / "Dockerfile"
        if not file.exists():
            return f"there is no {file}"
        here = Local.of(self.engine)
        for base in dockerfile.base_images(file.read_text()):
            name = parse(base)
            present = name.digest in here.digests or f"{name.familiar}:{name.tag}" in here.tags
            if not present and not self._pull(key, name):
                return f"its base image {base} cannot be had"
        self.report(f"{key}: building from {file}")
        problem = dockerfile.build(directory, image.name, self.engine, self.images.pull_timeout)
        if not problem:
            self.references[key] = image.name
            self.report(f"{key}: here, built from {file}")
        return problem

    def _load(self) -> None:
        """Take what the bundle has, if one is set."""
        path = self.images.bundle
        if path is None:
            return
        keys = self.missing()
        try:
            entries = {entry.key: entry for entry in bundle.read(path)}
            known = [key for key in keys if key in entries]
            fitting = {key: entries[key] for key in known if bundle.fits(self.asked[key], entries[key])}
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
    stand_ins = StandIns(cache)
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
        lines.append(f"  use a mirror of it: {set_with('imageMirror', '<host>/<path>')}")
    lines.append(f"  where a registry answers, `ops bundle save FILE`; here, {set_with('imageBundle', 'FILE')}")
    lines.append(f"  use another image: {set_with(f'imageOverrides.{lacking[0]}', '<reference>')}")
    if run.images.source != "auto":
        lines.append(f"  allow every source: {set_with('imageSource', 'auto')} (it is {run.images.source})")
    return "\n".join(lines)
