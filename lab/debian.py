"""Debian's packages: onto this machine, and into a root file system for images."""

import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError
from lab.process import Report, locked, run

SUITE = "trixie"
"""The release whose packages the images have: the machine's own mirror must serve it, whichever release runs here."""

SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
"""Where a Debian machine names its own archive; whatever else it uses is of no concern to an image."""

APT_REMEDY = "Check that Debian's packages can be reached (`apt-get update`), then run it again."

# The connection set-up of this machine, which a root file system in the making must share to reach the same mirror.
_CONNECTION = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries", "Acquire::Max-FutureTime")

# Whether this process has updated the package lists: once is enough.
_updated: list[bool] = []


def is_ours() -> bool:
    """Tell whether this is a Debian machine whose packages we may install."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], report: Report) -> None:
    """Install packages on this machine where they are missing; LabError in apt's own words when that fails."""
    missing = [name for name in packages if not _installed(name)]
    if not missing:
        return
    if not is_ours():
        raise LabError(f"The lab needs {' and '.join(missing)}: install them as root, on a Debian machine.")
    with locked(Path("/var/lock/lab-apt.lock"), f"installing {', '.join(missing)}", report):
        report(f"installing {', '.join(missing)} from Debian's packages …")
        doing = f"installing {', '.join(missing)}"
        patience = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
        # In runlevel 1 a package starts no service: without a service manager, its start script would race with ours.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        try:
            if not _updated:
                reading = "reading Debian's package lists"
                run(["apt-get", *patience, "-q", "update"], reading, APT_REMEDY, report, env=quiet)
                _updated.append(True)
        except LabError as error:
            # One broken third-party source fails the whole update, yet Debian's own lists may be fine.
            report(f"warning: {str(error).splitlines()[0]} going on with the lists that are there")
        command = ["apt-get", *patience, "-q", "install", "-y", "--no-install-recommends", *missing]
        run(command, doing, APT_REMEDY, report, env=quiet)


def bootstrap(packages: Sequence[str], before: str, after: str, target: Path, report: Report) -> None:
    """Write a root file system with `packages` as a tar file at `target`.

    It has what Debian calls essential, and no apt. `before` and `after` are shell scripts, with the root file system's
    path as $1: the one runs when what is essential is there, the other at the end.
    """
    install(["mmdebstrap"], report)
    named = [file for file in SOURCES if file.exists() and file.read_text().strip()]
    if not named:
        raise LabError(f"None of {', '.join(map(str, SOURCES))} names Debian's archive on this machine.")
    with tempfile.TemporaryDirectory(prefix="lab-bootstrap-") as scratch:
        sources = [Path(scratch) / file.name for file in named]
        for copy, file in zip(sources, named, strict=True):
            copy.write_text(re.sub(rf"\b{_release()}\b", SUITE, file.read_text()))
        options = Path(scratch) / "apt.conf"
        options.write_text(_connection_options() + 'Acquire::Languages "none";\n')
        hooks = {"essential": before, "customize": after}
        for name, script in hooks.items():
            (Path(scratch) / name).write_text(f"#!/bin/sh\nset -e\n{script}\n")
            (Path(scratch) / name).chmod(0o755)
        command = [
            "mmdebstrap",
            "--mode=root",
            "--variant=essential",
            f"--include={','.join(packages)}",
            f"--aptopt={options}",
            "--dpkgopt=force-unsafe-io",
            *(f"--{name}-hook={scratch}/{name}" for name in hooks),
            SUITE,
            str(target),
            *map(str, sources),
        ]
        run(command, "making a Debian root file system", APT_REMEDY, report, env={"TMPDIR": scratch})


def _release() -> str:
    """Give the codename of this machine's own release, such as bookworm."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", SUITE)


def _connection_options() -> str:
    """Give this machine's apt options for proxies, certificates and dates, as lines of an apt.conf file."""
    dump = subprocess.run(
        ["apt-config", "dump", "--format", '%F "%v";%n'], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in dump.splitlines() if line.startswith(_CONNECTION) and not line.endswith('"";')]
    return "".join(f"{line}\n" for line in lines)


def _installed(package: str) -> bool:
    state = subprocess.run(
        shlex.split("dpkg-query -W -f ${Status}") + [package], capture_output=True, text=True, check=False
    )
    return state.stdout == "install ok installed"
