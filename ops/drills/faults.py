"""The faults that drills make: what each breaks, which alerts it must set off, and how it is undone.

A fault works through the knobs of the demo backend, through Docker, or through containers of its own. Each is a context
manager: entering breaks, leaving mends.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import docker
import tenacity
from docker.errors import DockerException, NotFound
from docker.models.containers import Container

from config.labels import stack_labels
from config.settings import Settings
from ops.errors import OpsError

# Runs inside the container of the demo, whose control API is on no other network.
_TURN = """
import json, sys, urllib.request
body = json.dumps(json.loads(sys.argv[1])).encode() if sys.argv[1] != "null" else None
request = urllib.request.Request("http://127.0.0.1:8088/state", body, {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=20).read().decode())
"""
# Fills 94 % of the memory that the container may use, and stays there. What the kernel could give back (files that were
# read) does not count, as it does not for the alert. The paths are those of control groups of version 2, else 1.
_FILL = """
import pathlib, time
root, limit, used, cache = pathlib.Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"
if not (root / limit).exists():
    root, limit, used, cache = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
def working_set():
    stat = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    return int((root / used).read_text()) - int(stat[cache])
held = []
while working_set() < 0.94 * int((root / limit).read_text()):
    held.append(b"x" * 1_000_000)
time.sleep(3600)
"""
# Starts, again and again, a child that takes memory until the kernel kills it. The parent lives on.
_OVERFLOW = """
import subprocess, sys, time
while True:
    subprocess.run([sys.executable, "-c", "held = [b'x' * 500_000 for _ in range(10_000)]"])
    time.sleep(5)
"""
_SLEEP = "import time; time.sleep(3600)"


@dataclass(frozen=True)
class Levers:
    """What a fault can pull: a running stack and its engine."""

    settings: Settings
    engine: docker.DockerClient

    def container(self, service: str) -> Container:
        """The container of a service; OpsError where it is not there."""
        name = self.settings.name(service)
        try:
            return self.engine.containers.get(name)
        except NotFound as error:
            raise OpsError(f"there is no container {name}: bring the stack up first") from error

    # Undoing must not fail because the machine is busy: then an answer may be late, or empty.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((OpsError, DockerException, ValueError)),
        stop=tenacity.stop_after_attempt(5),
        wait=tenacity.wait_fixed(2),
        reraise=True,
    )
    def knobs(self, changes: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """Turns knobs of the demo, and gives all of them as they are then; without changes it only reads."""
        result = self.container("demo").exec_run(["python3", "-c", _TURN, json.dumps(changes)])
        assert isinstance(result.output, bytes)
        if result.exit_code:
            raise OpsError(f"the demo did not take {changes}: {result.output.decode().strip().splitlines()[-1]}")
        state: dict[str, dict[str, Any]] = json.loads(result.output)
        return state


EVERYTHING = frozenset({"everything"})

Break = Callable[[Levers], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """`alerts`: alert -> labels that it must have, with `{name}` for the beginning of a container's name.
    `touches`: what it disturbs; `alone`: nobody else may, meanwhile.
    """

    what: str
    alerts: Mapping[str, Mapping[str, str]]
    make: Break
    touches: frozenset[str] = field(default_factory=frozenset)
    alone: bool = False


def turn(**changes: Any) -> Break:
    """Turns knobs of the demo, and back to what they were."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        before = levers.knobs()
        levers.knobs(changes)
        try:
            yield
        finally:
            levers.knobs({name: before[name]["value"] for name in changes})

    return make


def stop(service: str) -> Break:
    """Stops a service's container, and starts it."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        container = levers.container(service)
        try:
            container.stop()
            yield
        finally:
            container.start()

    return make


@contextmanager
def stop_log_agent(levers: Levers) -> Iterator[None]:
    """Stops the agent that ships logs, and starts it."""
    with stop(levers.settings.log_agent)(levers):
        yield


def pause(service: str) -> Break:
    """Freezes a service's container, and lets it go on."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        container = levers.container(service)
        container.pause()
        try:
            yield
        finally:
            container.unpause()

    return make


def own_container(name: str, script: str, restarts: int = 0, **options: Any) -> Break:
    """Runs a script in a container of its own, of the demo's image; restarts it so many times; removes it."""

    @contextmanager
    def make(levers: Levers) -> Iterator[None]:
        settings = levers.settings
        image = levers.container("demo").attrs["Image"]
        full_name = settings.name(f"drill-{name}")
        _remove(levers.engine, full_name)
        try:
            command = ["python3", "-c", script]
            container = levers.engine.containers.create(
                image,
                entrypoint=command,
                name=full_name,
                network_mode="none",
                labels=stack_labels(settings.stack),
                **options,
            )
            container.start()
            for _ in range(restarts):
                # cAdvisor and Prometheus look every ten seconds each: they must see every start.
                time.sleep(25)
                container.restart(timeout=0)
            yield
        finally:
            _remove(levers.engine, full_name)

    return make


def _remove(engine: docker.DockerClient, name: str) -> None:
    with suppress(NotFound):
        engine.containers.get(name).remove(force=True, v=True)


def _touching(*things: str) -> frozenset[str]:
    return frozenset(things)


def _turned(
    what: str,
    alerts: Collection[str] | Mapping[str, Mapping[str, str]],
    *touches: str,
    alone: bool = False,
    **knobs: Any,
) -> Fault:
    """A fault that turns knobs of the demo: knob -> value."""
    labels = alerts if isinstance(alerts, Mapping) else {alert: {} for alert in alerts}
    return Fault(what, labels, turn(**knobs), _touching(*touches), alone)


def _probe(seconds: int) -> int:
    """Seconds as Docker's API wants them."""
    return seconds * 1_000_000_000


_PRIMARY = {"instance": "postgres:5432"}

# The gentle ones first: they run all at once. Each that disturbs what others need to be seen waits for these.
FAULTS = (
    _turned(
        "half of the API requests fail", ["KongHighErrorRate", "APIErrorBudgetBurnFast"], "kong", kong_error_ratio=0.5
    ),
    _turned("API requests are slow", ["KongHighLatency"], "kong", kong_latency_ms=3000),
    _turned("very many API requests", ["KongHighRequestRate"], "kong", "kong-load", kong_request_rate=3000),
    _turned("targets fail their checks", ["KongUpstreamUnhealthy"], "kong", kong_unhealthy_targets=2),
    _turned("Kong loses metrics", ["KongMetricErrors"], "kong", kong_metric_errors_per_minute=60),
    _turned(
        "very many WebSocket connections", ["WebSocketHighConnectionCount"], "websocket", websocket_connections=8000
    ),
    _turned("messages are late", ["WebSocketHighLatency"], "websocket", websocket_latency_seconds=2),
    _turned(
        "a third of the messages fails",
        ["WebSocketHighErrorRate", "WebSocketErrorBudgetBurnFast"],
        "websocket",
        websocket_error_ratio=0.33,
    ),
    _turned("very many clients with channels", ["RealtimeHighChannelCount"], "realtime", realtime_channels=8000),
    _turned("very many events", ["RealtimeHighEventRate"], "realtime", realtime_event_rate=20_000),
    _turned("joins fail", ["RealtimeChannelErrors"], "realtime", realtime_error_rate=10),
    _turned("users leave", ["HighUnsubscribeRate", "ActiveSubscriptionsDropped"], "application", unsubscribe_rate=150),
    _turned("nobody subscribes", ["LowSubscriptionRate"], "application", subscribe_rate=0),
    _turned("no events", ["NoEventsProcessed"], "application", "events", event_rate=0),
    _turned("slow queries", ["BusinessQueriesSlow"], "application", query_seconds=3),
    _turned("a cold cache", ["BusinessCacheHitRatioLow"], "application", "redis", cache_hit_ratio=0.1),
    _turned(
        "nearly all connections to PostgreSQL taken",
        {"PostgreSQLTooManyConnections": _PRIMARY},
        "postgres",
        postgres_connections=60,
    ),
    _turned("deadlocks", ["PostgreSQLDeadlocks"], "postgres", postgres_deadlocks_per_minute=20),
    _turned("slow statements", {"PostgreSQLSlowQueries": _PRIMARY}, "postgres", postgres_slow_queries_per_minute=120),
    # Alerts on lines, by Loki's ruler.
    _turned("a burst of errors", {"LogErrorBurst": {"service": "demo"}}, "logs", log_error_rate=2),
    _turned(
        "log-ins to a database that does not exist",
        {"PostgreSQLFatal": {"sqlstate": "3D000"}},
        "logs",
        postgres_fatal_errors_per_minute=60,
    ),
    _turned(
        "log-ins with a wrong password",
        {"AuthenticationFailures": {"service": "postgres"}},
        "logs",
        postgres_failed_logins_per_minute=60,
    ),
    _turned("the API fails", ["NginxServerErrors"], "nginx", "logs", api_error_ratio=0.5),
    Fault("Nginx is silent", {"LogSourceSilent": {"service": "nginx"}}, stop("nginx"), _touching("nginx"), alone=True),
    _turned(
        "the replica stops replaying",
        ["PostgreSQLHighReplicationLag", "PostgreSQLReplicationStopped"],
        "replica",
        alone=True,
        postgres_replica_paused=True,
    ),
    _turned("Redis is full", ["RedisHighMemoryUsage", "RedisHighEvictionRate"], "redis", redis_fill_bytes=200_000_000),
    _turned("Redis' clients", ["RedisHighConnectionCount"], "redis", redis_connections=180),
    Fault(
        "a container near its memory limit",
        {"ContainerHighMemory": {"name": "{name}drill-memory"}},
        # Large enough that what is left at the threshold bears what the kernel adds now and then.
        own_container("memory", _FILL, mem_limit="256m", memswap_limit="256m"),
        _touching("docker"),
    ),
    Fault(
        # ContainerOutOfMemory is the same seen by cAdvisor; the lab's, made of its library, does not watch for it.
        "a container beyond its memory limit",
        {"HostOutOfMemoryKill": {}},
        own_container("overflow", _OVERFLOW, mem_limit="64m", memswap_limit="64m"),
        _touching("docker"),
    ),
    Fault(
        "a container that restarts",
        {"ContainerRestarting": {"name": "{name}drill-restarts"}},
        own_container("restarts", _SLEEP, restarts=3),
        _touching("docker"),
    ),
    Fault(
        "a container that fails its check",
        {"ContainerUnhealthy": {"name": "{name}drill-unhealthy"}},
        own_container("unhealthy", _SLEEP, healthcheck={"test": ["CMD", "false"], "interval": _probe(5), "retries": 1}),
        _touching("docker"),
    ),
    _turned("notifications are not sent", ["NotificationsStalled"], "events", alone=True, notifications_per_alert=0),
    _turned("Kong is down", ["KongDown"], "kong", alone=True, kong_up=False),
    _turned(
        "Kong without its plugin",
        {"KeyMetricAbsent": {"metric": "kong_http_requests_total"}},
        "kong",
        alone=True,
        kong_metrics=[],
    ),
    _turned("the WebSocket server is down", ["WebSocketServerDown"], "websocket", alone=True, websocket_up=False),
    _turned("Realtime is down", ["RealtimeDown"], "realtime", alone=True, realtime_up=False),
    Fault(
        "the replica is down",
        {"PostgreSQLDown": {"role": "replica"}},
        stop("postgres-replica"),
        _touching("replica"),
        alone=True,
    ),
    Fault("Redis is down", {"RedisDown": {}}, stop("redis"), _touching("redis"), alone=True),
    Fault(
        "node_exporter is gone",
        {"ServiceDown": {"job": "node"}, "ContainerGone": {"name": "{name}node-exporter"}},
        stop("node-exporter"),
        _touching("docker"),
        alone=True,
    ),
    Fault("the log shipper is gone", {"LogPipelineStopped": {}}, stop_log_agent, _touching("logs"), alone=True),
    Fault("Loki hangs", {"LogShipperStopped": {}}, pause("loki"), _touching("logs"), alone=True),
    Fault(
        "Alertmanager is gone",
        {"PrometheusNotificationsFailing": {}},
        stop("alertmanager"),
        # Everybody else waits to see their alert arrive there.
        EVERYTHING,
        alone=True,
    ),
)
