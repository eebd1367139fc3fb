"""Everything that a fresh machine lacks, in one go: downloads and packages beside the compiler."""

from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker

from lab import base, engine, images, modules, toolchain
from lab.errors import LabError
from lab.modules import Module
from lab.process import Report, one_line_at_a_time

# Seconds: the engine answers a request to build or import an image when it is done.
_ENGINE_TIMEOUT = 600


@dataclass(frozen=True)
class Prepared:
    """What `prepare` made sure of."""

    tools: Mapping[str, Path]
    """The path of each executable asked for."""
    images: Mapping[str, str]
    """The reference of each image asked for."""


def prepare(
    tools: Collection[str],
    keys: Collection[str],
    cache: Path,
    report: Report,
    client: docker.DockerClient | None = None,
) -> Prepared:
    """Make sure of the executables `tools`, and of the images `keys` in the engine behind `client`.

    Without a client, the local engine is used, and set up when there is none. One Go build runs at a time, since it
    takes all processors by itself; beside it, the sources of the next ones are downloaded, and the engine and the
    images that need no compiler are made. Raises the first LabError, and stops.
    """
    for tool in tools:
        toolchain.module_of(tool)  # a wrong name is said now, not after the long work
    report = one_line_at_a_time(report)
    known = client or (docker.from_env(timeout=_ENGINE_TIMEOUT) if engine.answers() else None)
    absent = [key for key in keys if known is None or not images.present(key, known)]
    wanted = {*tools, *(tool for key in absent for tool in images.recipe(key).tools.values())}
    missing = [module for module in modules.MODULES if wanted & set(module.executables)]
    missing = [module for module in missing if not toolchain.directory(module, cache).is_dir()]
    jobs: list[Future[None]] = []
    with ThreadPoolExecutor(1) as downloads, ThreadPoolExecutor(1) as packages:
        try:
            jobs += [downloads.submit(_download, module, cache, report) for module in missing]
            if absent:
                jobs.append(packages.submit(_base, client, cache, report))
            for module in (None, *missing):
                if module:
                    toolchain.build_module(module, cache, report)
                ready = [key for key in absent if _complete(key, cache)]
                jobs += [packages.submit(_image, key, client, cache, report) for key in ready]
                absent = [key for key in absent if key not in ready]
                for job in jobs:
                    if job.done():
                        job.result()
            for job in jobs:
                job.result()
        except BaseException:
            for job in jobs:
                job.cancel()
            raise
    return Prepared(
        {tool: toolchain.build(tool, cache, report) for tool in tools},
        {key: images.reference(key) for key in keys},
    )


def _complete(key: str, cache: Path) -> bool:
    """Tell whether everything that an image is made of has been compiled."""
    return all(toolchain.location(tool, cache).exists() for tool in images.recipe(key).tools.values())


def _download(module: Module, cache: Path, report: Report) -> None:
    with suppress(LabError):  # the build downloads what is missing, and says what is wrong
        toolchain.download(module, cache, report)


def _base(client: docker.DockerClient | None, cache: Path, report: Report) -> None:
    if client is None:
        engine.ensure(report)
    base.build(client or docker.from_env(timeout=_ENGINE_TIMEOUT), cache, report)


def _image(key: str, client: docker.DockerClient | None, cache: Path, report: Report) -> None:
    images.build(key, client or docker.from_env(timeout=_ENGINE_TIMEOUT), cache, report)
