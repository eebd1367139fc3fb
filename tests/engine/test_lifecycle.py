"""The stack on the real engines, Pulumi's and Docker's: it comes up, stays as declared, takes changes, goes away."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.engine.deployment import Deployment, edited, eventually

_DATA_SERVICES = ("prometheus", "alertmanager", "loki", "alloy", "postgres", "postgres-replica", "redis", "demo")


def test_up_ends_with_every_service_running_healthy_and_scraped(stack: Deployment, tmp_path: Path) -> None:
    """All seven categories pass, and the infrastructure below; the addresses that `up` prints answer."""
    report_file = tmp_path / "report.json"
    stack.ops("validate", "--json", str(report_file))
    report = json.loads(report_file.read_text())
    assert report["passed"]
    assert len(report["categories"]) == 8
    jobs = [check for check in report["categories"]["prometheus"] if check["name"].startswith("job ")]
    assert len(jobs) >= 12
    addresses = dict(line.split() for line in stack.ops("outputs").splitlines() if " http" in line)
    ready = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "loki": "/ready", "grafana": "/api/health"}
    assert set(addresses) >= {"prometheus", "alertmanager", "loki"}
    for name, address in addresses.items():
        assert httpx.get(address + ready[name], timeout=10).status_code == 200, f"{name} at {address}"


def test_a_second_look_finds_nothing_to_change(stack: Deployment) -> None:
    """A preview after `up`, and after `refresh`, shows nothing; another `up` changes nothing."""
    before = {service: stack.started(service) for service in _DATA_SERVICES}
    stack.ops("preview", "--expect-no-changes")
    stack.ops("refresh")
    stack.ops("preview", "--expect-no-changes")
    assert "changes: none" in stack.ops("up")
    assert {service: stack.started(service) for service in _DATA_SERVICES} == before


def test_containers_are_hardened_and_keep_no_secret_in_sight(stack: Deployment) -> None:
    """What `docker inspect` shows: no secret, no capability too many, rotated logs, few open ports."""
    secrets = [
        stack.run("postgres-exporter", ["cat", "/run/config/postgres_password"]),
        stack.run("redis", ["cat", "/run/config/secrets/redis_password"]),
    ]
    assert all(len(secret) > 20 for secret in secrets)
    published = {}
    for container in stack.engine.containers.list(all=True, ignore_removed=True):
        if not str(container.name).startswith(stack.name("")):
            continue
        attributes = container.attrs
        text = json.dumps(attributes)
        assert not any(secret in text for secret in secrets), f"{container.name} shows a secret"
        host = attributes["HostConfig"]
        assert host["CapDrop"] == ["ALL"], container.name
        assert not host["Privileged"], container.name
        assert "no-new-privileges:true" in host["SecurityOpt"], container.name
        assert host["LogConfig"]["Config"]["max-size"], container.name
        assert host["Memory"] > 0, container.name
        for bindings in (host["PortBindings"] or {}).values():
            published[container.name] = bindings[0]["HostIp"]
    names = {stack.name(service) for service in ("prometheus", "alertmanager", "loki", "grafana")}
    assert set(published) <= names
    assert set(published.values()) == {"127.0.0.1"}


@pytest.fixture
def rule_file(stack: Deployment) -> Iterator[Path]:
    """A new rule file in the project's copy; gone again afterwards, and so from the stack."""
    path = stack.root / "config/prometheus/rules/zz_test_recordings.yml"
    yield path
    path.unlink(missing_ok=True)
    stack.ops("up")


def _rule(expression: str) -> str:
    return f"groups:\n  - name: test\n    rules:\n      - record: test:marker:value\n        expr: {expression}\n"


def _value(stack: Deployment, expression: str) -> str:
    answer = httpx.get(f"{stack.url('prometheus')}/api/v1/query", params={"query": expression}).json()
    result = answer["data"]["result"]
    return str(result[0]["value"][1]) if result else ""


def test_a_changed_rule_is_live_without_touching_prometheus(stack: Deployment, rule_file: Path) -> None:
    """Only the writer is replaced; the preview shows the changed lines; a removed file goes away."""
    before = stack.started("prometheus")
    rule_file.write_text(_rule("vector(41)"))
    shown = stack.ops("preview")
    assert "recording rule test:marker:value added: expression 41" in shown
    assert "no service restarts" in shown
    assert "Reloaded without a restart, when its own tool has found it right: prometheus." in shown
    out = stack.ops("up")
    assert "replaced Container prometheus-config-writer" in out
    assert "prometheus-container" not in out
    eventually("the new rule is evaluated", lambda: _value(stack, "test:marker:value") == "41")
    assert stack.started("prometheus") == before


@pytest.mark.parametrize(
    ("service", "file", "change", "complaint"),
    [
        ("prometheus", "config/prometheus/rules/zz_test_recordings.yml", _rule("sum(("), "parse error"),
        (
            "prometheus",
            "config/prometheus/__init__.py",
            ('"scrape_interval"', '"scrape_intervall"'),
            "scrape_intervall",
        ),
        ("alertmanager", "config/alertmanager/routes.py", ('"receiver": "P3",', '"receiver": "nobody",'), "nobody"),
    ],
    ids=["rules", "prometheus.yml", "alertmanager.yml"],
)
def test_a_broken_file_fails_the_update_and_the_running_service_keeps_the_old_one(
    stack: Deployment, service: str, file: str, change: str | tuple[str, str], complaint: str
) -> None:
    """The tool's own message is shown, also at the next attempt; mending the file mends the stack."""
    before = stack.started(service)
    with edited(stack.root / file, change):
        for _ in range(2):
            out = stack.ops("up", ok=False)
            assert f"the configuration of {service} was refused" in out
            assert complaint in out
            assert "Traceback" not in out
        assert stack.started(service) == before
        metric = f"{service}_config_last_reload_successful 1"
        assert metric in httpx.get(f"{stack.url(service)}/metrics").text
    stack.ops("up")
    assert stack.started(service) == before


def _psql(stack: Deployment, statement: str) -> str:
    return stack.run("postgres", ["psql", "-h", "/tmp", "-U", "postgres", "-d", "defillama", "-qtA", "-c", statement])


class _Data:
    """Something in every store, and whether it is still there."""

    def __init__(self, stack: Deployment, marker: str) -> None:
        self.stack, self.marker = stack, marker
        now = time.time()
        silence = {
            "matchers": [{"name": "marker", "value": marker, "isRegex": False, "isEqual": True}],
            "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
            "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600)),
            "createdBy": "test",
            "comment": marker,
        }
        httpx.post(f"{stack.url('alertmanager')}/api/v2/silences", json=silence).raise_for_status()
        line = {"streams": [{"stream": {"marker": marker}, "values": [[str(int(now * 1e9)), marker]]}]}
        httpx.post(f"{stack.url('loki')}/loki/api/v1/push", json=line).raise_for_status()
        _psql(stack, "create table if not exists public.marker (value text)")
        _psql(stack, f"insert into public.marker values ('{marker}')")
        self.sample_time = now - 15
        assert self._samples(), "no sample to keep"

    def _samples(self) -> object:
        query = {"query": "count(up)", "time": str(self.sample_time)}
        return httpx.get(f"{self.stack.url('prometheus')}/api/v1/query", params=query).json()["data"]["result"]

    def _silences(self) -> bool:
        silences = httpx.get(f"{self.stack.url('alertmanager')}/api/v2/silences").json()
        return any(silence["comment"] == self.marker for silence in silences)

    def _lines(self) -> bool:
        query = {"query": f'{{marker="{self.marker}"}}', "since": "1h"}
        answer = httpx.get(f"{self.stack.url('loki')}/loki/api/v1/query_range", params=query).json()
        return bool(answer["data"]["result"])

    def assert_there(self) -> None:
        eventually("Prometheus has the old samples", self._samples)
        eventually("Alertmanager has the silence", self._silences)
        eventually("Loki has the line", self._lines)
        rows = f"select count(*) from public.marker where value = '{self.marker}'"
        eventually("PostgreSQL has the row", lambda: _psql(self.stack, rows) == "1")


def _healthy(stack: Deployment) -> bool:
    return all(
        stack.container(service).attrs["State"].get("Health", {}).get("Status") == "healthy"
        for service in _DATA_SERVICES
    )


def test_data_survives_the_replacement_of_every_container(stack: Deployment) -> None:
    """A changed setting replaces the containers that keep data; what they kept is still there."""
    data = _Data(stack, "replaced")
    before = {service: stack.started(service)[0] for service in ("prometheus", "alertmanager", "loki", "postgres")}
    primary = stack.root / "demo/postgres/primary.sh"
    changed = ["-c", "prometheusRetention=29d", "-c", "lokiRetention=29d", "-c", "bindAddress=127.0.0.2"]
    try:
        with edited(primary, primary.read_text() + "\n# changed\n"):
            stack.ops("up", *changed)
        after = {service: stack.started(service)[0] for service in before}
        assert not set(before.values()) & set(after.values()), "every one of them must have been replaced"
    finally:
        stack.ops("up")
    data.assert_there()


def test_data_survives_the_death_of_every_process(stack: Deployment) -> None:
    """After SIGKILL everything starts again by itself, healthy, with its data."""
    data = _Data(stack, "killed")
    grep = ["grep", "-q", "-a", data.marker, "/alertmanager/silences"]
    eventually("Alertmanager has written the silence", lambda: stack.run("alertmanager", grep) == "", seconds=40)
    for service in _DATA_SERVICES:
        os.kill(stack.container(service).attrs["State"]["Pid"], signal.SIGKILL)
    eventually("everything is healthy again", lambda: _healthy(stack), seconds=180)
    data.assert_there()
    stack.ops("validate", "--wait", "120")


@pytest.mark.parametrize(
    ("service", "farewell"),
    [
        ("prometheus", "See you next time!"),
        ("postgres", "database system is shut down"),
        ("redis", "ready to exit"),
        ("loki", ""),
        ("alertmanager", "exiting gracefully"),
    ],
)
def test_stopping_is_graceful(stack: Deployment, service: str, farewell: str) -> None:
    """Each service ends by itself, well within the time that it is given before it would be killed."""
    container = stack.container(service)
    grace = container.attrs["Config"]["StopTimeout"]
    started = time.monotonic()
    container.stop(timeout=grace)
    took = time.monotonic() - started
    container.reload()
    try:
        assert took < grace - 1, f"{took:.1f} of {grace} s: it was killed"
        assert container.attrs["State"]["ExitCode"] == 0
        assert farewell in container.logs(tail=40).decode()
    finally:
        container.start()
    eventually(f"{service} is back", lambda: _healthy(stack), seconds=120)


def test_a_server_that_is_gone_is_told_from_its_exporter(stack: Deployment) -> None:
    """Its name does not resolve any more, which takes longer than a scrape may: the exporters still say so in time."""
    for service in ("redis", "postgres-replica"):
        stack.container(service).stop()
    try:
        down = 'redis_up{job="redis"} == 0 and on () up{job="redis"} == 1'
        eventually("redis_up is 0", lambda: _value(stack, down) == "0", seconds=60)
        down = 'pg_up{instance="postgres-replica:5432"} == 0 and on () up{instance="postgres-replica:5432"} == 1'
        eventually("pg_up is 0", lambda: _value(stack, down) == "0", seconds=60)
    finally:
        for service in ("redis", "postgres-replica"):
            stack.container(service).start()
    eventually("both are back", lambda: _healthy(stack), seconds=120)


def _nameless_volumes(stack: Deployment) -> set[str]:
    return {str(name.name) for name in stack.engine.volumes.list() if re.fullmatch(r"[0-9a-f]{64}", str(name.name))}


def test_stacks_run_side_by_side_and_one_goes_without_the_others(
    stack: Deployment, make_deployment: Callable[[str], Deployment]
) -> None:
    """Two more stacks beside the shared one; destroying one leaves the others serving, and nothing of itself."""
    first, second = make_deployment("pr-4402"), make_deployment("pr-4403")
    nameless = _nameless_volumes(stack)
    first.ops("up")
    second.ops("up")
    before = {service: stack.started(service) for service in _DATA_SERVICES}
    first.ops("destroy")
    assert first.leftovers() == []
    second.ops("validate")
    stack.ops("validate")
    assert {service: stack.started(service) for service in _DATA_SERVICES} == before
    # Destroyed also when somebody removed containers by hand before.
    for service in ("prometheus", "postgres", "loki-check", "alertmanager-config"):
        second.container(service).remove(force=True)
    second.ops("destroy")
    assert second.leftovers() == []
    assert _nameless_volumes(stack) - nameless == set(), "made by an image's VOLUME, and left by a removal by hand"
    assert stack.leftovers()
