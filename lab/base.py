"""The image that every other one starts from: one small Debian, with all the packages that any of them needs."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import docker
import docker.errors

from lab import debian
from lab.process import Report, locked

REPOSITORY = "lab/base"

POSTGRES = "17"
"""PostgreSQL's major version: the one that Debian's release has."""

# One root file system for all images: making it is the slow part, and layers that are shared cost nothing.
PACKAGES = (
    "ca-certificates",
    "haproxy",
    "nginx",
    f"postgresql-{POSTGRES}",
    "python3-jwt",
    "python3-prometheus-client",
    "python3-psycopg",
    "python3-redis",
    "redis-server",
    "wget",
)

# The official images' users, there before the packages would make their own; no database cluster of Debian's; and what
# dpkg leaves out. PostgreSQL's just-in-time compiler is a hundred megabytes, and PostgreSQL does the same without it.
BEFORE = f"""
echo 'postgres:x:999:' >> "$1/etc/group"
echo 'redis:x:999:' >> "$1/etc/group"
echo 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/bash' >> "$1/etc/passwd"
echo 'redis:x:999:999:Redis:/data:/usr/sbin/nologin' >> "$1/etc/passwd"
mkdir -p "$1/etc/postgresql-common"
echo 'create_main_cluster = false' > "$1/etc/postgresql-common/createcluster.conf"
cat > "$1/etc/dpkg/dpkg.cfg.d/lab" <<'END'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/i18n/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
path-exclude=/usr/lib/postgresql/{POSTGRES}/lib/llvmjit*
path-exclude=/usr/lib/postgresql/{POSTGRES}/lib/bitcode/*
path-exclude=*/libLLVM*
path-exclude=*/libz3.so*
END
"""

# The name of this machine, and the mirror that it happens to use, stay here; the essential packages' pages go, too.
AFTER = """
cd "$1"
rm -rf etc/hostname etc/hosts etc/resolv.conf
rm -rf etc/apt/sources.list* etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/lab
rm -rf usr/share/doc usr/share/i18n usr/share/info usr/share/locale usr/share/man
"""


def reference() -> str:
    """Give the base image's reference, whose tag changes with all that goes into it."""
    content = json.dumps([debian.SUITE, PACKAGES, BEFORE, AFTER])
    return f"{REPOSITORY}:{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def tarball(cache: Path) -> Path:
    """Give the path of the root file system's tar file under `cache`, made or not."""
    return cache / "base" / f"{reference().rpartition(':')[2]}.tar"


def make(cache: Path, report: Report) -> Path:
    """Give the tar file of the root file system, making it when it is not there."""
    target = tarball(cache)
    if target.exists():
        return target
    with locked(target.with_suffix(".lock"), "making a Debian root file system", report):
        if not target.exists():
            report("making a Debian root file system (about a minute) …")
            with tempfile.TemporaryDirectory(prefix=".base-", dir=target.parent) as scratch:
                made = Path(scratch) / "base.tar"
                debian.bootstrap(PACKAGES, BEFORE, AFTER, made, report)
                os.replace(made, target)
    return target


def build(engine: docker.DockerClient, cache: Path, report: Report) -> str:
    """Make sure that the engine has the base image, and give its reference."""
    wanted = reference()
    try:
        engine.images.get(wanted)
    except docker.errors.ImageNotFound:
        source = make(cache, report)
        report(f"importing {wanted} …")
        repository, _, tag = wanted.rpartition(":")
        engine.api.import_image_from_file(str(source), repository=repository, tag=tag)
    return wanted
