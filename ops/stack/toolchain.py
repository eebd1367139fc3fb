"""Pulumi's command line and the provider plugins: what is there, else the release, else built by `lab`."""

import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version as installed
from pathlib import Path

import httpx
from pulumi.automation import PulumiCommand
from semver import VersionInfo

from ops.errors import OpsError

# Seconds to find out whether a release can be downloaded at all, before an installer is started that would hang.
_PROBE_TIMEOUT = 10
# Where the releases are.
_PULUMI_RELEASES = "https://get.pulumi.com"
_GITHUB_RELEASES = "https://api.github.com"


def plugin_versions() -> dict[str, str]:
    """Provider -> the plugin version that its SDK asks the engine for."""
    return {"docker": installed("pulumi-docker"), "grafana": installed("pulumiverse-grafana")}


def pulumi(cache: Path, report: Callable[[str], None]) -> PulumiCommand:
    """Pulumi's command line at the SDK's version or a later one: on PATH, else its release, else built from source.

    `cache` is where a downloaded or built one is kept. Raises OpsError when none can be had.
    """
    wanted = VersionInfo.parse(installed("pulumi"))
    found = shutil.which("pulumi")
    if found and Path(found).parent.name == "bin" and (command := _usable(Path(found).parent.parent, wanted)):
        return command
    root = cache / f"pulumi-{wanted}"
    if (root / "bin" / "pulumi").exists():
        return _Checked(root, wanted)
    tried = []
    if _answers(_PULUMI_RELEASES):
        report(f"downloading Pulumi {wanted}")
        try:
            return PulumiCommand.install(root=str(root), version=wanted)
        except Exception as error:  # the installer is a shell script: whatever it raises, there is another way
            tried.append(f"its release: {error}")
    else:
        tried.append(f"its release: {_PULUMI_RELEASES} does not answer")
    binary = _build("pulumi", cache, report, tried)
    (root / "bin").mkdir(parents=True, exist_ok=True)
    link = root / "bin" / "pulumi"
    link.unlink(missing_ok=True)
    link.symlink_to(binary)
    return PulumiCommand(root=str(root), version=wanted)


def present(cache: Path) -> str:
    """Where Pulumi's command line is, on PATH or below `cache`; empty where it would have to be brought first."""
    kept = cache / f"pulumi-{installed('pulumi')}/bin/pulumi"
    return shutil.which("pulumi") or (str(kept) if kept.exists() else "")


def plugin(name: str, command: PulumiCommand, pulumi_home: Path, cache: Path, report: Callable[[str], None]) -> None:
    """The provider plugin `name`: on PATH, else in Pulumi's own plugin directory.

    One on PATH goes before all others, as Pulumi does it. Raises OpsError when it can be had in no way.
    """
    wanted = plugin_versions()[name]
    directory = pulumi_home / "plugins" / f"resource-{name}-v{wanted}"
    executable = directory / f"pulumi-resource-{name}"
    if shutil.which(executable.name) or executable.exists():
        return
    server = ["--server", "github://api.github.com/pulumiverse"] if name == "grafana" else []
    tried = []
    if _answers(_GITHUB_RELEASES if name == "grafana" else _PULUMI_RELEASES):
        report(f"downloading the {name} provider {wanted}")
        result = subprocess.run(
            [command.command, "plugin", "install", "resource", name, f"v{wanted}", *server],
            env={**os.environ, "PULUMI_HOME": str(pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if result.returncode == 0:
            return
        tried.append(f"its release: {result.stderr.strip()}")
    else:
        tried.append("its release: the download server does not answer")
    binary = _build(f"pulumi-resource-{name}", cache, report, tried)
    directory.mkdir(parents=True, exist_ok=True)
    executable.unlink(missing_ok=True)
    executable.symlink_to(binary)


class _Checked(PulumiCommand):
    """A command line that was checked when it was put into the cache: to ask its version again takes 0.2 s."""

    def __init__(self, root: Path, version: VersionInfo) -> None:
        self.command = str(root / "bin" / "pulumi")
        self.version = version


def _usable(root: Path, wanted: VersionInfo) -> PulumiCommand | None:
    if not (root / "bin" / "pulumi").exists():
        return None
    try:
        return PulumiCommand(root=str(root), version=wanted)
    except Exception:  # too old or broken: look further
        return None


def _answers(address: str) -> bool:
    try:
        httpx.head(address, timeout=_PROBE_TIMEOUT)
    except httpx.HTTPError:
        return False
    return True


def _build(tool: str, cache: Path, report: Callable[[str], None], tried: list[str]) -> Path:
    from lab.errors import LabError
    from lab.toolchain import build

    try:
        return build(tool, cache, report)
    except LabError as error:
        tried.append(f"built from source: {error}")
    raise OpsError(
        f"{tool} {plugin_versions().get(tool.rpartition('-')[2], installed('pulumi'))} is needed and cannot be had:\n  "
        + "\n  ".join(tried)
        + "\nInstall it by hand (https://www.pulumi.com/docs/install/) so that it is on PATH, and run this again."
    )
