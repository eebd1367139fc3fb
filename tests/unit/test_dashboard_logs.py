"""How log lines are shown, asked of a real Loki."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from config.loki import loki_files
from dashboards.panels.logs import readable
from lab import toolchain
from lab.cache import cache as cache_directory
from tests.unit.demo_process import free_ports
from tests.unit.drawn import dashboards, dev_settings, panels

# Seconds until Loki must answer.
_PATIENCE = 60


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Loki of its own, with the stack's configuration."""
    program = shutil.which("loki") or str(toolchain.build("loki", cache_directory(), print))
    directory = tmp_path_factory.mktemp("loki")
    http, grpc = free_ports(2)
    text = (
        loki_files(dev_settings())["loki.yaml"].replace("/etc/loki", str(directory)).replace(" /loki", f" {directory}")
    )
    text = text.replace("http_listen_port: 3100", f"http_listen_port: {http}")
    text = text.replace("grpc_listen_port: 9095", f"grpc_listen_port: {grpc}")
    (directory / "rules").mkdir()
    (directory / "loki.yaml").write_text(text)
    with (
        (directory / "output").open("w") as output,
        subprocess.Popen([program, f"-config.file={directory}/loki.yaml"], stdout=output, stderr=output) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=10) as client,
    ):
        try:
            wait_for(client, process)
            yield client
        finally:
            process.kill()


def wait_for(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("Loki does not get ready")


def shown(
    loki: httpx.Client, line: str, labels: dict[str, str], metadata: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """The line as the panel shows it, and the fields in its details."""
    now = time.time_ns()
    stream = {"service": f"s{now}", **labels}
    pushed = {"streams": [{"stream": stream, "values": [[str(now), line, metadata]]}]}
    loki.post("/loki/api/v1/push", json=pushed).raise_for_status()
    query = readable(f'{{service="{stream["service"]}"}}')
    asked: dict[str, str | int] = {"query": query, "start": now - 10**9, "end": now + 10**9}
    answer: Any = loki.get("/loki/api/v1/query_range", params=asked).raise_for_status().json()
    ((found,),) = [[result] for result in answer["data"]["result"]]
    ((_, text),) = found["values"]
    return text, found["stream"]


def test_a_line_of_the_application_is_its_message_and_what_matters(loki: httpx.Client) -> None:
    line = {
        "time": "2026-01-31T12:00:00.000Z",
        "level": "info",
        "event": "request_completed",
        "request_id": "abc",
        "msg": "GET /v1/x 200",
        "service": "api",
        "route": "api-main",
        "status": 200,
        "latency_ms": 12.5,
        "bytes": 77,
    }
    text, fields = shown(loki, json.dumps(line), {"level": "info"}, {"event": "request_completed", "request_id": "abc"})
    assert text == "GET /v1/x 200  ·  route api-main  ·  status 200  ·  12.5 ms  ·  request abc"
    # All of them, once; the time stands beside the line.
    assert {"level", "event", "request_id", "msg", "route", "status", "latency_ms", "bytes"} <= set(fields)
    assert fields["service_extracted"] == "api"
    assert not {"level_extracted", "event_extracted", "request_id_extracted", "time", "__error__"} & set(fields)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "2026-01-31 12:00:00.000 UTC [42] user=app db=app app=demo client=172.18.0.9 LOG:  duration: 512.3 ms  "
            "statement: SELECT pg_sleep(0.5)",
            "LOG: duration: 512.3 ms  statement: SELECT pg_sleep(0.5)",
        ),
        (
            '2026-01-31 12:00:00.000 UTC [42] sqlstate=42P01 user=app db=app app= client=:: ERROR:  no relation "x"',
            'ERROR: no relation "x"',
        ),
        ("1:M 31 Jan 2026 12:00:00.000 * Background saving terminated", "Background saving terminated"),
        ('time=2026-01-31T12:00:00.123Z level=INFO source=main.go:1 msg="Head GC"', 'source=main.go:1 msg="Head GC"'),
        ("a line of no known form", "a line of no known form"),
        (
            '{"time":"1769860800.1","method":"GET","path":"/a","status":"500","seconds":"0.012","request_id":"r1"}',
            "GET /a  ·  status 500  ·  0.012 s  ·  request r1",
        ),
    ],
)
def test_a_line_is_shown_without_what_stands_beside_it(loki: httpx.Client, line: str, text: str) -> None:
    found, fields = shown(loki, line, {}, {})
    assert found == text
    assert "__error__" not in fields


def test_a_field_that_the_agent_has_read_is_there_once(loki: httpx.Client) -> None:
    line = '{"method":"GET","path":"/a/7","status":"500","seconds":"0.012","request_id":"r1"}'
    read = {"method": "GET", "route": "/a/:id", "status": "500", "seconds": "0.012", "request_id": "r1"}
    text, fields = shown(loki, line, {"level": "error"}, read)
    assert text == "GET /a/7  ·  route /a/:id  ·  status 500  ·  0.012 s  ·  request r1"
    assert not [field for field in fields if field.endswith("_extracted")]


def test_every_page_shows_its_lines_so() -> None:
    for dashboard in dashboards().values():
        (panel,) = [panel for panel in panels(dashboard) if panel["type"] == "logs"]
        (target,) = panel["targets"]
        assert target["expr"].endswith(readable(""))
        assert panel["options"]["enableLogDetails"]
