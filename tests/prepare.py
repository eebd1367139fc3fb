"""`python -m tests.prepare`: what the tests need from elsewhere, brought before they start, with progress."""

import shutil
import tempfile
from pathlib import Path

import docker

from images.bring import bring
from images.catalogue import image_keys_of
from lab import debian
from lab.cache import cache
from lab.engine import ensure
from lab.plan import prepare
from ops.report import say
from ops.stack import toolchain
from tests.rules.reading import dev

# Servers that tests run as processes of their own.
SERVERS = ("docker-registry", "postgresql-15", "redis-server", "nginx", "haproxy")
# Linters, GitHub's command line that the workflows call, and a server that speaks S3.
TOOLS = ("pint", "dashboard-linter", "actionlint", "gh", "versitygw")

if __name__ == "__main__":
    command = toolchain.pulumi(cache(), say)
    with tempfile.TemporaryDirectory() as home:
        toolchain.plugin("docker", command, Path(home), cache(), say)
    ensure(say)
    if debian.is_ours():
        debian.install(SERVERS, say)
    settings = dev()
    bring(image_keys_of(settings), settings, docker.from_env(), cache(), say, optional=["grafana"])
    prepare([tool for tool in TOOLS if not shutil.which(tool)], [], cache(), say)
