"""Writes the registries' digests into config/images.yaml."""

from collections.abc import Collection, Mapping
from pathlib import Path

import docker
import yaml

from config.errors import SettingsError
from images.catalogue import CATALOGUE, catalogue
from images.errors import ImagesError
from images.faults import PullError
from images.local import HasImages
from images.puller import Puller
from lab.process import Report


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
