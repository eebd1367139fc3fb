"""This machine: the programs that the first command needs, memory, disk, limits of the kernel, directories."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ops.stack.preflight import INOTIFY, INOTIFY_INSTANCES
from ops.validation.check import Check

_GIB = 1024**3
# Free bytes: below the first, nothing can be built or unpacked; with the second there is room for days of data.
_DISK_LEAST, _DISK_WELL = 1 * _GIB, 10 * _GIB
# Available bytes of memory below which the services of a stack with its demo backend have no room beside each other.
_MEMORY_WELL = 2 * _GIB
_PYTHON = (3, 11)
_DEBIAN = "on Debian and Ubuntu: sudo apt-get install {}"


def checks(home: Path, cache: Path) -> Iterator[Check]:
    """See the module. `home` is where state is kept, `cache` where what is built is."""
    yield Check.of(
        "python",
        sys.version_info >= _PYTHON,
        ".".join(map(str, sys.version_info[:3])),
        expected=f"Python {'.'.join(map(str, _PYTHON))} or newer",
        hint=_DEBIAN.format("python3.11 python3.11-venv"),
    )
    for program in ("git", "make"):
        found = shutil.which(program)
        if found:
            yield Check.of(program, True, found)
        else:
            yield Check.warn(
                program, "not on the PATH", expected=f"{program} on the PATH", hint=_DEBIAN.format(program)
            )
    yield memory(Path("/proc/meminfo"))
    yield inotify(INOTIFY)
    for what, variable, path in (("state", "MONITORING_HOME", home), ("cache", "MONITORING_CACHE", cache)):
        yield permissions(what, variable, path)
        yield disk(f"disk of the {what}", path, shutil.disk_usage(_existing(path)).free)


def memory(meminfo: Path) -> Check:
    """Whether memory is left; `meminfo` is the kernel's file about it."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return Check.skip("memory", "this kernel does not tell (it is not Linux)")
    detail = f"{available / _GIB:.1f} GiB available"
    if available >= _MEMORY_WELL:
        return Check.of("memory", True, detail)
    return Check.warn(
        "memory",
        detail,
        expected=f"{_MEMORY_WELL / _GIB:.0f} GiB, for a stack with its demo backend",
        hint="end what needs much (ps aux --sort=-rss | head), or take down a stack that nobody needs: ops destroy",
    )


def inotify(limit: Path) -> Check:
    """Whether several stacks may follow their log files; `limit` is the kernel's file of it. `up` raises it as root."""
    if not limit.exists():
        return Check.skip("inotify", "this kernel has no such limit (it is not Linux)")
    found = int(limit.read_text())
    if found >= INOTIFY_INSTANCES:
        return Check.of("inotify", True, f"{found} instances")
    return Check.warn(
        "inotify",
        f"{found} instances",
        expected=f"{INOTIFY_INSTANCES}, for several stacks: one takes about 20",
        hint=f"sudo sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES} (ops up does it where it is root)",
    )


def permissions(what: str, variable: str, path: Path) -> Check:
    """Whether this user can write below `path`, which need not exist yet."""
    problem = _unwritable(path)
    return Check.of(
        f"permissions of the {what}",
        not problem,
        problem or str(path),
        expected=f"a directory that this user may read and write: {path}",
        hint=f"make it this user's (sudo chown -R $USER {path}), or set {variable} to another directory",
        about=f"permissions of the {what}",
    )


def disk(name: str, path: Path, free: int) -> Check:
    """Whether `free` bytes are enough where `path` lies."""
    detail = f"{free / _GIB:.1f} GiB free at {path}"
    if free >= _DISK_WELL:
        return Check.of(name, True, detail)
    expected = f"{_DISK_WELL // _GIB} GiB; below {_DISK_LEAST // _GIB} GiB nothing can be built or unpacked"
    hint = f"see what is large: du -xh --max-depth=2 {_existing(path)} | sort -h | tail; "
    hint += "images that no container uses: docker image prune -a"
    if free < _DISK_LEAST:
        return Check.fail(name, detail, expected=expected, hint=hint)
    return Check.warn(name, detail, expected=expected, hint=hint)


def _unwritable(path: Path) -> str:
    place = _existing(path)
    if not place.is_dir():
        return f"{place} is a file"
    return "" if os.access(place, os.R_OK | os.W_OK | os.X_OK) else f"this user may not read and write {place}"


def _existing(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())
