"""`python -m tests.prepare`: what the tests need from elsewhere, brought before they start, with progress."""

import shutil
import tempfile
from pathlib import Path

import docker

from config.images import image_keys_of
from lab import debian
from lab.engine import ensure
from lab.plan import prepare
from ops import images, toolchain
from ops.home import cache
from ops.report import say
from tests.conftest import demo_settings

# Servers that tests run as processes of their own.
SERVERS = ("docker-registry", "postgresql-15", "redis-server")
LINTERS = ("pint", "dashboard-linter")

if __name__ == "__main__":
    command = toolchain.pulumi(cache(), say)
    with tempfile.TemporaryDirectory() as home:
        toolchain.plugin("docker", command, Path(home), cache(), say)
    ensure(say)
    if debian.is_ours():
        debian.install(SERVERS, say)
    settings = demo_settings()
    images.bring(image_keys_of(settings), settings, docker.from_env(), cache(), say, optional=["grafana"])
    prepare([linter for linter in LINTERS if not shutil.which(linter)], [], cache(), say)
