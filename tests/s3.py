"""A server that speaks S3, as a process, for states of a team."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from lab import toolchain
from lab.cache import cache
from tests.processes import unused_port, wait_for

BUCKET = "states"
_KEY, _SECRET = "an-access-key", "a-secret-access-key"


@contextmanager
def bucket(directory: Path) -> Iterator[Mapping[str, str]]:
    """An empty bucket below `directory`; gives the environment in which Pulumi keeps its state there."""
    server = shutil.which("versitygw") or str(toolchain.build("versitygw", cache(), print))
    (directory / "data" / BUCKET).mkdir(parents=True)
    port = unused_port()
    address = f"http://127.0.0.1:{port}"
    options = ["--access", _KEY, "--secret", _SECRET, "--port", f"127.0.0.1:{port}", "--quiet"]
    log = directory / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [server, *options, "posix", str(directory / "data")], stdout=output, stderr=output, env=os.environ
        )
    try:
        wait_for(lambda: _answers(address), log)
        yield {
            "PULUMI_BACKEND_URL": f"s3://{BUCKET}?endpoint={address}&s3ForcePathStyle=true&region=us-east-1",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2).status_code < 500
    except httpx.TransportError:
        return False
