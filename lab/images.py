"""Every image of the stack: the lab's base image, the program, and the official image's paths, user and entry point."""

import hashlib
import io
import json
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker
import docker.errors

from lab import base, toolchain
from lab.errors import LabError
from lab.process import Report

PROJECT = Path(__file__).resolve().parents[1]
DEMO = PROJECT / "demo"
"""The demo backend's program."""
NOBODY = 65534
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LABEL = "lab.image"
"""The label of every image that the lab builds; its value is the image's key."""


@dataclass(frozen=True)
class Recipe:
    """What one image has beyond the base image."""

    instructions: str
    """The rest of its Dockerfile, as the official image has it."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Executables of lab.toolchain, by their paths in the image."""
    directories: Mapping[str, int] = field(default_factory=dict)
    """Directories to create, with their owner (user and group alike)."""
    version: str = ""
    """The program's version where it is one of Debian's packages; else that of the tools."""


def _server(name: str, tool: str, port: int, storage: str) -> Recipe:
    """An image as Prometheus' project makes them: a server and its tool, and its data where the flag `storage` says."""
    instructions = f"""
        USER nobody
        EXPOSE {port}
        VOLUME ["/{name}"]
        WORKDIR /{name}
        ENTRYPOINT ["/bin/{name}"]
        CMD ["--config.file=/etc/{name}/{name}.yml", "{storage}=/{name}"]
    """
    tools = {f"/bin/{program}": program for program in (name, tool)}
    return Recipe(instructions, tools, directories={f"/etc/{name}": NOBODY, f"/{name}": NOBODY})


def _exporter(path: str, port: int, user: str = "nobody") -> Recipe:
    """An image with nothing but the executable at `path`, which serves its metrics on `port`."""
    instructions = f"""
        USER {user}
        EXPOSE {port}
        ENTRYPOINT ["{path}"]
    """
    return Recipe(instructions, tools={path: path.rpartition("/")[2]})


RECIPES: Mapping[str, Recipe] = {
    "prometheus": _server("prometheus", "promtool", 9090, storage="--storage.tsdb.path"),
    "alertmanager": _server("alertmanager", "amtool", 9093, storage="--storage.path"),
    "loki": Recipe(
        tools={"/usr/bin/loki": "loki"},
        directories={"/etc/loki": 10001, "/loki": 10001, "/loki/rules": 10001, "/loki/rules-temporary": 10001},
        instructions="""
            USER 10001
            EXPOSE 3100
            ENTRYPOINT ["/usr/bin/loki"]
            CMD ["-config.file=/etc/loki/local-config.yaml"]
        """,
    ),
    "promtail": Recipe(
        tools={"/usr/bin/promtail": "promtail"},
        directories={"/etc/promtail": 0},
        instructions="""
            ENTRYPOINT ["/usr/bin/promtail"]
            CMD ["-config.file=/etc/promtail/config.yml"]
        """,
    ),
    "alloy": Recipe(
        tools={"/bin/alloy": "alloy"},
        directories={"/etc/alloy": 0, "/var/lib/alloy": 473, "/var/lib/alloy/data": 473},
        instructions="""
            ENV ALLOY_DEPLOY_MODE=docker
            ENTRYPOINT ["/bin/alloy"]
            CMD ["run", "/etc/alloy/config.alloy", "--storage.path=/var/lib/alloy/data"]
        """,
    ),
    "node-exporter": _exporter("/bin/node_exporter", 9100),
    "cadvisor": Recipe(
        tools={"/usr/bin/cadvisor": "cadvisor"},
        instructions="""
            EXPOSE 8080
            HEALTHCHECK --interval=30s --timeout=3s CMD wget --quiet --tries=1 --spider http://localhost:8080/healthz
            ENTRYPOINT ["/usr/bin/cadvisor", "-logtostderr"]
        """,
    ),
    "blackbox-exporter": _exporter("/bin/blackbox_exporter", 9115),
    "postgres-exporter": _exporter("/bin/postgres_exporter", 9187),
    "redis-exporter": _exporter("/redis_exporter", 9121, user="59000:59000"),
    "postgres": Recipe(
        version=base.POSTGRES,
        # The stack starts PostgreSQL and Redis by scripts of its own, so the official entry points are left out.
        directories={"/var/lib/postgresql": 999, "/var/lib/postgresql/data": 999, "/var/run/postgresql": 999},
        instructions=f"""
            ENV PATH={PATH}:/usr/lib/postgresql/{base.POSTGRES}/bin
            ENV LANG=C.UTF-8 PG_MAJOR={base.POSTGRES} PGDATA=/var/lib/postgresql/data
            EXPOSE 5432
            VOLUME ["/var/lib/postgresql/data"]
            STOPSIGNAL SIGINT
            USER postgres
            CMD ["postgres"]
        """,
    ),
    "redis": Recipe(
        version="8.0",
        directories={"/data": 999},
        instructions="""
            EXPOSE 6379
            VOLUME ["/data"]
            WORKDIR /data
            USER redis
            CMD ["redis-server"]
        """,
    ),
    "nginx": Recipe(
        version="1.26.3",
        instructions="""
            EXPOSE 80
            STOPSIGNAL SIGQUIT
            CMD ["nginx", "-g", "daemon off;"]
        """,
    ),
    "haproxy": Recipe(
        version="3.0.11",
        directories={"/usr/local/etc/haproxy": 0},
        instructions="""
            STOPSIGNAL SIGUSR1
            CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
        """,
    ),
    "demo": Recipe(
        # As demo/Dockerfile has it.
        directories={"/app": 0},
        instructions="""
            ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
            WORKDIR /app
            USER 10002:10002
            EXPOSE 8100 4000 8081 8082 8083 8088
            HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["python3", "-m", "demo.healthcheck"]
            ENTRYPOINT ["python3", "-m", "demo"]
        """,
    ),
}
"""How each image is built, by the keys of config/images.yaml."""

KEYS = tuple(RECIPES)
"""Every image that can be built."""


def recipe(key: str) -> Recipe:
    """Give the recipe of an image; LabError names the known ones for an unknown key."""
    if key not in RECIPES:
        raise LabError(f"The lab cannot build an image for {key!r}; it can for {', '.join(KEYS)}.")
    return RECIPES[key]


def version(key: str) -> str:
    """Give the version of the program in an image, as its project writes it."""
    wanted = recipe(key)
    if wanted.tools:
        return toolchain.version(toolchain.module_of(next(iter(wanted.tools.values()))))
    if wanted.version:
        return wanted.version
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def reference(key: str) -> str:
    """Give the reference of an image, `lab/<key>:<version>-<hash>`; it changes with all that goes into the image."""
    wanted = recipe(key)
    parts = [
        _dockerfile(key),
        {path: toolchain.key(toolchain.module_of(tool)) for path, tool in wanted.tools.items()},
        {path: _digest(file) for path, file in _files(key).items()},
        dict(wanted.directories),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    return f"lab/{key}:{version(key)}-{digest}"


def present(key: str, engine: docker.DockerClient) -> bool:
    """Tell whether the engine has the image as it would be built now."""
    try:
        engine.images.get(reference(key))
    except docker.errors.ImageNotFound:
        return False
    return True


def build(key: str, engine: docker.DockerClient, cache: Path, report: Report) -> str:
    """Make sure that the engine has the image for `key`, and give its reference.

    Builds under `cache` what it is made of where that is missing. Raises LabError when something cannot be built.
    """
    wanted = reference(key)
    if present(key, engine):
        return wanted
    binaries = {path: toolchain.build(tool, cache, report) for path, tool in recipe(key).tools.items()}
    base.build(engine, cache, report)
    report(f"building the image {wanted} …")
    context = _context(key, binaries)
    try:
        engine.images.build(fileobj=context, custom_context=True, tag=wanted, rm=True, forcerm=True, pull=False)
    except (docker.errors.BuildError, docker.errors.APIError) as error:
        remedy = "Check the Docker engine (`docker info`) and the room on its disk."
        raise LabError(f"building the image {wanted} failed: {error}\n{remedy}") from error
    return wanted


def _dockerfile(key: str) -> str:
    lines = [line.strip() for line in recipe(key).instructions.strip().splitlines()]
    return "\n".join([f"FROM {base.reference()}", f"LABEL {LABEL}={key}", "ADD files.tar /", *lines, ""])


def _files(key: str) -> dict[str, Path]:
    """Give the files of this project that go into an image, by their paths there."""
    return {f"/app/demo/{file.name}": file for file in sorted(DEMO.glob("*.py"))} if key == "demo" else {}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _context(key: str, binaries: Mapping[str, Path]) -> io.BytesIO:
    """Give a build context: the Dockerfile, and a tar file that carries owners and modes, which COPY would not."""
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        for path, owner in recipe(key).directories.items():
            _add(tar, path, kind=tarfile.DIRTYPE, owner=owner)
        for path, file in (_files(key) | dict(binaries)).items():
            _add(tar, path, content=file.read_bytes())
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        _add(tar, "Dockerfile", content=_dockerfile(key).encode())
        _add(tar, "files.tar", content=files.getvalue())
    context.seek(0)
    return context


def _add(
    tar: tarfile.TarFile,
    path: str,
    *,
    kind: bytes = tarfile.REGTYPE,
    content: bytes = b"",
    owner: int = 0,
) -> None:
    """Add one entry, with nothing in it that differs from machine to machine."""
    entry = tarfile.TarInfo(path.removeprefix("/"))
    entry.type = kind
    entry.mode = 0o755
    entry.uid = entry.gid = owner
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
