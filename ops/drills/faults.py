"""The faults that drills make: what each breaks, and which alerts it must set off."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.drills.breaks import FILL, OVERFLOW, SLEEP, Break, own_container, pause, stop, stop_log_agent, turn

EVERYTHING = frozenset({"everything"})


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
        own_container("memory", FILL, mem_limit="256m", memswap_limit="256m"),
        _touching("docker"),
    ),
    Fault(
        # ContainerOutOfMemory is the same seen by cAdvisor; the lab's, made of its library, does not watch for it.
        "a container beyond its memory limit",
        {"HostOutOfMemoryKill": {}},
        own_container("overflow", OVERFLOW, mem_limit="64m", memswap_limit="64m"),
        _touching("docker"),
    ),
    Fault(
        "a container that restarts",
        {"ContainerRestarting": {"name": "{name}drill-restarts"}},
        own_container("restarts", SLEEP, restarts=3),
        _touching("docker"),
    ),
    Fault(
        "a container that fails its check",
        {"ContainerUnhealthy": {"name": "{name}drill-unhealthy"}},
        own_container("unhealthy", SLEEP, healthcheck={"test": ["CMD", "false"], "interval": _probe(5), "retries": 1}),
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
