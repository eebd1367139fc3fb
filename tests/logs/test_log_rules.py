"""Every alert on lines fires from real lines, and goes when they stop; what is recorded of lines reaches Prometheus.

The windows are shortened to seconds, and nothing waits; the expressions are those of the stack.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

from config.loki import rule_files
from tests.logs.processes import Alloy, Loki, Process, loki, shipping, wait_until
from tests.logs.samples import times
from tests.processes import unused_port
from tests.rules.reading import RUNBOOKS, dev
from tests.rules.test_rules import LOG_ALERTS

# Seconds, in place of 5 to 15 minutes.
_WINDOW = 10


def shortened(text: str) -> str:
    """A file of rules with windows of seconds, evaluated all the time."""
    text = re.sub(r"\[1h\] offset 5m", f"[{2 * _WINDOW}s] offset {_WINDOW}s", text)
    text = re.sub(r"\[\d+m\]", f"[{_WINDOW}s]", text)
    text = re.sub(r"interval: \S+", "interval: 1s", text)
    return re.sub(r"for: \S+$", "for: 0s", text, flags=re.MULTILINE)


class Service:
    """What writes the lines of one service."""

    def __init__(self, path: Path, source: str, service: str, component: str) -> None:
        self.path = path
        self.labels = {"source": source, "service": service, "component": component, "container": service}
        self.quiet = False
        path.touch()

    def write(self, line: str, count: int = 1) -> None:
        """Add lines with the time of this moment."""
        text = line.format(**times(datetime.now(UTC)))
        with self.path.open("a") as file:
            file.write(f"{text}\n" * count if count == 1 else "".join(f"{text} n={n}\n" for n in range(count)))


_PG = "{postgres} [7] sqlstate=%s user=app db=defillama app=x client=10.0.0.9 %s:  %s"
_ACCESS = '{{"time":"{unix}","method":"GET","path":"/x","status":"%s","seconds":"0.1","bytes":"1","request_id":"%s"}}'
_DEMO = '{{"time":"{iso}","level":"%s","event":"e","request_id":"r","msg":"%s"}}'


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Service]:
    made = (
        Service(tmp_path / "postgres.log", "postgres", "postgres", "database"),
        Service(tmp_path / "replica.log", "postgres", "postgres-replica", "database"),
        Service(tmp_path / "nginx.log", "nginx-access", "nginx", "api_gateway"),
        Service(tmp_path / "demo.log", "application", "demo", "business"),
        Service(tmp_path / "host.log", "host", "host", "system"),
        Service(tmp_path / "smoke.log", "container", "smoke", "monitoring"),
    )
    return {service.labels["service"]: service for service in made}


@contextmanager
def working(services: dict[str, Service]) -> Iterator[None]:
    """While this lasts, each service writes a harmless line a second, unless it is made quiet."""
    usual = {
        "postgres": _PG % ("00000", "LOG", "checkpoint starting: time"),
        "postgres-replica": _PG % ("00000", "LOG", "restartpoint starting: time"),
        "nginx": _ACCESS % (200, "ok"),
        "demo": _DEMO % ("info", "well"),
        "host": "{syslog} web-1 cron[1]: session opened",
        "smoke": "received SmokeTest",
    }
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(1):
            for name, line in usual.items():
                if not services[name].quiet:
                    services[name].write(line)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def break_postgres(services: dict[str, Service]) -> None:
    services["postgres"].write(_PG % ("XX000", "PANIC", "could not locate a valid checkpoint record"))
    services["postgres"].write(_PG % ("3D000", "FATAL", 'database "missing" does not exist'), 10)
    services["postgres"].write(_PG % ("28P01", "FATAL", "password authentication failed"), 40)


def break_the_rest(services: dict[str, Service]) -> None:
    for number in range(40):
        services["nginx"].write(_ACCESS % (500, f"bad-{number}"))
        services["demo"].write(_DEMO % ("error", f"broken {number}"))
    services["demo"].write(_DEMO % ("info", "connecting to redis://:hunter2hunter2@redis:6379"))
    services["host"].write("{iso} web-1 kernel: Out of memory: Killed process 4711 (postgres) total-vm:1kB")
    services["smoke"].write("smoke test monitoring-dev-smoke-0a1b2c3d")


FIRED = {
    ("PostgreSQLPanic", "postgres"),
    ("PostgreSQLFatal", "postgres"),
    ("AuthenticationFailures", "postgres"),
    ("LogErrorBurst", "postgres"),
    ("LogErrorBurst", "demo"),
    ("LogErrorBurst", "nginx"),
    ("NginxServerErrors", "nginx"),
    ("SecretsInLogs", "demo"),
    ("KernelOutOfMemory", "host"),
    ("SmokeTestLog", "smoke"),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Loki]:
    with loki(dev(), tmp_path / "loki", ruler={"poll_interval": "1s"}) as made:
        yield made


def change_rules(store: Loki, change: Callable[[str], str]) -> None:
    """Change the files of the rules; Loki goes on running, and reads them again."""
    for name, text in rule_files(dev()).items():
        (store.rules / name).write_text(change(text))


def test_every_alert_fires_and_goes(services: dict[str, Service], store: Loki, tmp_path: Path) -> None:
    files = {service.path: service.labels for service in services.values()}
    with (
        working(services),
        shipping(Alloy(dev(), tmp_path / "alloy", f"{store.url}/loki/api/v1/push", files)),
    ):
        wait_until(lambda: len(store.value(f'sum by (service) (count_over_time({{service=~".+"}}[{_WINDOW}s]))')) == 6)
        change_rules(store, shortened)
        wait_until(lambda: len(groups(store)) == 5 and all(group["interval"] == 1 for group in groups(store)))
        assert store.alerts() == set()
        break_postgres(services)
        break_the_rest(services)
        seen: set[tuple[str, str]] = set()

        def all_fired() -> bool:
            seen.update(store.alerts())
            return seen >= FIRED

        wait_until(all_fired, seconds=40)
        assert seen == FIRED
        wait_until(lambda: store.alerts() == set(), seconds=4 * _WINDOW)
        services["nginx"].quiet = True
        wait_until(lambda: store.alerts() == {("LogSourceSilent", "nginx")}, seconds=4 * _WINDOW)
        services["nginx"].quiet = False
        wait_until(lambda: store.alerts() == set(), seconds=4 * _WINDOW)
    assert {name for name, _ in seen} | {"LogSourceSilent"} == set(LOG_ALERTS)


def groups(store: Loki) -> list[dict[str, float]]:
    """The groups that the ruler evaluates."""
    found: list[dict[str, float]] = httpx.get(f"{store.url}/prometheus/api/v1/rules").json()["data"]["groups"]
    return found


def test_the_ruler_takes_a_change_without_a_restart_and_names_a_mistake(store: Loki) -> None:
    reread = f"{store.url}/loki/api/v1/rules"
    assert httpx.get(reread).is_success
    change_rules(store, lambda text: text.replace("LogErrorBurst", "LogErrorBurst2"))
    wait_until(lambda: "LogErrorBurst2" in json.dumps(groups(store)))
    # What the writer of the rules asks, before it says that they are right.
    change_rules(store, lambda text: text.replace("count_over_time(", "count_ower_time("))
    refused = httpx.get(reread)
    assert not refused.is_success
    assert "count_ower_time" in refused.text or "syntax error" in refused.text, refused.text
    # The rules before the mistake are still evaluated.
    assert "LogErrorBurst2" in json.dumps(groups(store))


def recorded(prometheus: str, series: str) -> bool:
    """Whether Prometheus has a value of a series."""
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": series}).json()
    return bool(answer["data"]["result"])


def test_what_is_recorded_of_lines_is_in_prometheus(services: dict[str, Service], tmp_path: Path) -> None:
    address = f"127.0.0.1:{unused_port()}"
    (tmp_path / "prometheus.yml").write_text("{}")
    options = [
        *("prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"),
        *(f"--web.listen-address={address}", "--web.enable-remote-write-receiver"),
    ]
    prometheus = Process(options, tmp_path / "prometheus.log", f"http://{address}/-/ready")
    remote = {"enabled": True, "clients": {"prometheus": {"url": f"http://{address}/api/v1/write"}}}
    files = {service.path: service.labels for service in services.values()}
    ruler = {"poll_interval": "1s", "remote_write": remote}
    try:
        prometheus.wait_until_ready()
        with (
            loki(dev(), tmp_path / "loki", ruler=ruler) as store,
            working(services),
            shipping(Alloy(dev(), tmp_path / "alloy", f"{store.url}/loki/api/v1/push", files)),
        ):
            change_rules(store, shortened)
            for series in (
                'service_status:nginx_requests:rate1m{service="nginx",status="200"}',
                'service:nginx_request_seconds:p95_1m{service="nginx"}',
                'service_level:log_lines:rate1m{service="demo",component="business",level="info"}',
            ):
                wait_until(partial(recorded, f"http://{address}", series))
    finally:
        prometheus.kill()


def test_queries_of_the_runbooks_are_logql(store: Loki) -> None:
    asked = 0
    for path in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(r"```logql\n(.*?)```", path.read_text(), re.DOTALL):
            for query in block.strip().split("\n\n"):
                text = re.sub(r"^   ", "", query, flags=re.MULTILINE).strip()
                metric = re.match(r"(sum|topk|count)\b", text)
                url = f"{store.url}/loki/api/v1/{'query' if metric else 'query_range'}"
                answer = httpx.get(url, params={"query": text})
                assert answer.is_success, f"{path.name}: {text}: {answer.text}"
                asked += 1
    assert asked > 30
