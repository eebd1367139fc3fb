"""Building the image of `ops`."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, ContainerError, ImageNotFound

from config.project import ROOT
from lab.cache import cache
from ops.errors import OpsError
from ops.stack import toolchain

Report = Callable[[str], None]

_DOCKERFILE = Path(__file__).with_name("Dockerfile")
# Seconds that the engine may say nothing.
_PATIENCE = 600


def build(base: str, tag: str, packages: str, engine: docker.DockerClient, report: Report) -> str:
    """Build the image `tag` on the image `base`, with further `packages` of Debian in it; gives its id.

    `base` must be on the engine and have Python 3.11 or newer. Raises OpsError with the cause where it fails.
    """
    version = _python(base, engine)
    with tempfile.TemporaryDirectory(prefix="monitoring-image-") as directory:
        context = Path(directory)
        report(f"bringing the libraries for Python {version}")
        _libraries(context / "site-packages", version)
        _pulumi(context / "pulumi", report)
        shutil.copy(_DOCKERFILE, context / "Dockerfile")
        report(f"building {tag}")
        try:
            image, _ = engine.images.build(
                path=str(context),
                tag=tag,
                buildargs={"BASE": base, "PACKAGES": packages},
                rm=True,
                forcerm=True,
                timeout=_PATIENCE,
            )
        except (BuildError, APIError) as error:
            raise OpsError(f"{tag} cannot be built: {error}") from None
    return str(image.id)


def _python(base: str, engine: docker.DockerClient) -> str:
    """The Python version of the base image, such as 3.13."""
    try:
        said = engine.containers.run(base, ["python3", "--version"], entrypoint=[], network_mode="none", remove=True)
    except (ImageNotFound, ContainerError, APIError) as error:
        raise OpsError(
            f"--base {base} must be an image on this engine with python3: {error}; "
            f"bring one with, for example: docker pull {base}",
            code=2,
        ) from None
    match = re.match(r"Python (3\.(\d+))", said.decode())
    if not match or int(match[2]) < 11:
        raise OpsError(f"--base {base} has {said.decode().strip()}, and `ops` needs Python 3.11 or newer", code=2)
    return match[1]


def _libraries(target: Path, python: str) -> None:
    """Every library at the version of uv.lock, for that Python, checked against its hash there."""
    uv = shutil.which("uv") or str(cache() / "uv/bin/uv")
    listed = target.with_name("requirements.txt")
    frozen = ["--frozen", "--no-dev", "--no-emit-project", "--quiet"]
    _run([uv, "export", *frozen, "--project", str(ROOT), "--output-file", str(listed)])
    only = ["--only-binary", ":all:", "--require-hashes", "--no-deps", "--quiet"]
    _run(
        [
            uv,
            "pip",
            "install",
            *only,
            "--python-version",
            python,
            "--target",
            str(target),
            "--requirements",
            str(listed),
        ]
    )


def _pulumi(target: Path, report: Report) -> None:
    """Pulumi's command line and the plugins, as `ops` finds them on this machine."""
    command = toolchain.pulumi(cache(), report)
    (target / "bin").mkdir(parents=True)
    (target / "plugins").mkdir()
    shutil.copy(command.command, target / "bin/pulumi")
    with tempfile.TemporaryDirectory() as home:
        for name in toolchain.plugin_versions():
            executable = f"pulumi-resource-{name}"
            try:
                toolchain.plugin(name, command, Path(home), cache(), report)
            except OpsError as error:
                if name != "grafana":
                    raise
                report(f"without the plugin for Grafana: {error}")
                continue
            found = next(Path(home).glob(f"plugins/*/{executable}"), None) or shutil.which(executable)
            shutil.copy(str(found), target / "plugins" / executable)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OpsError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
