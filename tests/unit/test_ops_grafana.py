"""Checks and smoke tests through Grafana, against a small server that speaks the parts of its API that they use.

Grafana itself is not on every machine; with one, tests/engine/test_grafana_container.py runs the whole validation.
"""

import base64
import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
import pytest
from pydantic import SecretStr

from config.settings import Settings
from ops.validation import grafana, smoke_grafana
from ops.validation.check import Check
from tests.unit.test_graph import settings_of

PROBE = "monitoring-dev-smoke-0a1b2c3d"


class Stand(ThreadingHTTPServer):
    """What stands in for Grafana: its dashboards by uid, and whether its data sources have an answer."""

    dashboards: dict[str, Any]
    dead: set[str]
    value: bool
    posted: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: Stand

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _allowed(self) -> bool:
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"admin:secret").decode():
            return True
        self._answer(401, {"message": "Unauthorized"})
        return False

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        if not self._allowed():
            return
        if self.path.startswith("/api/datasources/proxy/uid/"):
            uid = self.path.split("/")[5]
            self._answer(502 if uid in self.server.dead else 200, {})
        elif (uid := self.path.rpartition("/")[2]) in self.server.dashboards:
            self._answer(200, {"dashboard": self.server.dashboards[uid]})
        else:
            self._answer(404, {"message": "Dashboard not found"})

    def do_POST(self) -> None:  # noqa: N802
        if not self._allowed():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/dashboards/db":
            self.server.dashboards[body["dashboard"]["uid"]] = body["dashboard"]
            self.server.posted.append(body["dashboard"]["uid"])
            self._answer(200, {"status": "success"})
        else:
            assert PROBE in body["queries"][0]["expr"]
            columns = [[1], [1.7e9]] if self.server.value else [[], []]
            self._answer(200, {"results": {"A": {"frames": [{"data": {"values": columns}}]}}})

    def do_DELETE(self) -> None:  # noqa: N802
        if self._allowed():
            del self.server.dashboards[self.path.rpartition("/")[2]]
            self._answer(200, {})

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A healthy one."""
    found = Stand(("127.0.0.1", 0), _Handler)
    found.dashboards = {uid: {"title": uid.title()} for uid in grafana.DASHBOARDS}
    found.dead, found.value, found.posted = set(), True, []
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def settings(stand: Stand) -> Settings:
    """A stack with that Grafana."""
    plain = settings_of("dev")
    own = dataclasses.replace(
        plain.grafana,
        mode="container",
        url=f"http://127.0.0.1:{stand.server_port}",
        admin_password=SecretStr("secret"),
        token=None,
    )
    return dataclasses.replace(plain, grafana=own)


def failed(checks: Iterator[Check]) -> list[str]:
    """The names of those that failed; each says what to do."""
    found = [check for check in checks if check.result == "fail"]
    assert all(check.hint and check.expected for check in found)
    return [check.name for check in found]


def test_each_fault_of_grafana_is_named_by_its_check_alone(
    settings: Settings, stand: Stand, engine: docker.DockerClient
) -> None:
    assert failed(grafana.checks(settings, engine)) == []
    for uid in grafana.DATA_SOURCES:
        stand.dead = {uid}
        assert failed(grafana.checks(settings, engine)) == [f"data source {uid} answers"]
    stand.dead = set()
    for uid in grafana.DASHBOARDS:
        gone = stand.dashboards.pop(uid)
        assert failed(grafana.checks(settings, engine)) == [f"dashboard {uid}"]
        stand.dashboards[uid] = gone


def test_the_smoke_tests_see_the_sample_and_leave_no_dashboard(settings: Settings, stand: Stand) -> None:
    before = dict(stand.dashboards)
    found = list(smoke_grafana.checks(settings, PROBE, scraped=True))
    assert [(check.name, check.result) for check in found] == [("data source", "pass"), ("dashboard", "pass")]
    assert stand.posted == ["smoke-0a1b2c3d"]
    assert stand.dashboards == before


def test_a_grafana_without_the_sample_fails_and_leaves_no_dashboard_either(
    settings: Settings, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke_grafana, "_PATIENCE", 1)
    stand.value = False
    assert failed(smoke_grafana.checks(settings, PROBE, scraped=True)) == ["data source", "dashboard"]
    assert "smoke-0a1b2c3d" not in stand.dashboards


def test_what_cannot_be_tried_is_left_out_with_the_reason(settings: Settings) -> None:
    without = dataclasses.replace(settings, grafana=dataclasses.replace(settings.grafana, mode="none"))
    found = [*smoke_grafana.checks(without, PROBE, scraped=True), *smoke_grafana.checks(settings, PROBE, scraped=False)]
    assert {check.result for check in found} == {"skip"}
    assert "has no Grafana" in found[0].detail
    assert "no sample" in found[2].detail
