"""The demo's API behind a real Nginx: what clients get, and what both write into their logs."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.unit.demo_process import ROOT, Demo, free_ports, running, wait_for

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
NO_SERVERS = ("--postgres-host=", "--redis-host=")

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed (Debian's package nginx)")


class Front:
    """A Nginx with the demo's own configuration, in front of a demo."""

    def __init__(self, directory: Path) -> None:
        (self.port,) = free_ports(1)
        self.directory = directory
        self.demo = Demo(directory, *NO_SERVERS, "--nginx-host=127.0.0.1", f"--nginx-port={self.port}")
        text = (ROOT / "demo/nginx/nginx.conf").read_text()
        # The addresses and files are a test's; all else is the demo's.
        for old, new in (
            ("/tmp/", f"{directory}/"),
            ("listen 8080", f"listen 127.0.0.1:{self.port}"),
            ("http://app:8083", self.demo.url("api", "")),
            ("/dev/stdout", str(directory / "access.log")),
            ("/dev/stderr", str(directory / "error.log")),
        ):
            assert old in text, old
            text = text.replace(old, new)
        (directory / "nginx.conf").write_text(text)
        command = [str(NGINX), "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
        self.process = subprocess.Popen(command)

    def requests(self) -> list[dict[str, str]]:
        """The access log so far."""
        return [json.loads(line) for line in (self.directory / "access.log").read_text().splitlines()]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    made = Front(tmp_path_factory.mktemp("front"))
    for _ in running(made.demo):
        try:
            yield made
        finally:
            made.process.terminate()
            made.process.wait()


def test_the_load_comes_through_nginx_under_one_request_id(front: Front) -> None:
    front.demo.set(api_request_rate=50, log_rate=1000)
    wait_for(lambda: front.directory.joinpath("access.log").exists() and len(front.requests()) > 50, "requests")
    handled = {line["request_id"]: line for line in front.demo.logs() if line["event"] == "request_handled"}
    seen = [request for request in front.requests() if request["request_id"] in handled]
    assert len(seen) > 10
    for request in seen:
        assert handled[request["request_id"]]["msg"].startswith(f"{request['method']} {request['path'].split('?')[0]} ")
        assert request["status"] == str(handled[request["request_id"]]["status"])
        assert abs(float(request["time"]) - time.time()) < 60
        assert float(request["seconds"]) < 5
        assert int(request["bytes"]) > 0


@pytest.mark.parametrize(
    ("knob", "status", "level"), [("api_error_ratio", 500, "error"), ("api_unauthorized_ratio", 401, "warn")]
)
def test_a_knob_makes_the_api_fail(front: Front, knob: str, status: int, level: str) -> None:
    front.demo.reset()
    front.demo.set(**{knob: 1})
    answer = httpx.get(f"http://127.0.0.1:{front.port}/api/v1/prices/7", headers={"X-Request-ID": f"asked-{knob}"})
    assert answer.status_code == status
    (line,) = [line for line in front.demo.logs() if line["request_id"] == f"asked-{knob}"]
    assert (line["level"], line["event"], line["msg"]) == (level, "request_handled", f"GET /api/v1/prices/7 {status}")


def test_what_nginx_cannot_reach_is_a_502_with_a_line_in_the_error_log(front: Front) -> None:
    front.demo.reset()
    front.demo.set(application_up=False)
    try:
        assert httpx.get(f"http://127.0.0.1:{front.port}/api/v1/protocols").status_code == 502
        assert "[error]" in (front.directory / "error.log").read_text()
    finally:
        front.demo.reset()


def test_a_health_check_is_no_request(front: Front) -> None:
    assert httpx.get(f"http://127.0.0.1:{front.port}/healthz").text == "ok\n"
    assert not [request for request in front.requests() if request["path"] == "/healthz"]
