"""The knobs: what can be changed while the demo runs, and the limits of each.

A knob has a name, a default and a range. All code reads a knob at the moment it needs it, so a change
takes effect within a second. `provokes` names the alerts a knob is there to set off.
"""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

KONG_METRIC_GROUPS = ("status_code", "latency", "bandwidth", "upstream_health")

Value = bool | float | tuple[str, ...]


class KnobError(ValueError):
    """A knob that does not exist, or a value it does not take. The message names the knob."""


@dataclass(frozen=True)
class Knob:
    """One thing that can be changed. The type of `default` is the type of the knob.

    `low` and `high` bound a number, both included; `whole` asks for a whole number; `choices` are what a
    list may contain.
    """

    name: str
    default: Value
    unit: str
    description: str
    provokes: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    whole: bool = False
    choices: tuple[str, ...] = ()

    def check(self, value: object) -> Value:
        """Return `value`, as it came out of JSON, in the knob's own type; raise KnobError when it does not fit."""
        if isinstance(self.default, bool):
            return self._check_flag(value)
        if isinstance(self.default, tuple):
            return self._check_list(value)
        return self._check_number(value)

    def _check_flag(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise KnobError(f"{self.name}: {value!r} is not true or false")
        return value

    def _check_list(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(item in self.choices for item in value):
            raise KnobError(f"{self.name}: {value!r} is not a list of any of {', '.join(self.choices)}")
        return tuple(choice for choice in self.choices if choice in value)

    def _check_number(self, value: object) -> float:
        # bool is a subclass of int: true is not a number here.
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise KnobError(f"{self.name}: {value!r} is not a number")
        if not self.low <= value <= self.high:
            raise KnobError(f"{self.name}: {value!r} is not between {self.low:g} and {self.high:g} ({self.unit})")
        if self.whole and value != int(value):
            raise KnobError(f"{self.name}: {value!r} is not a whole number")
        return int(value) if self.whole else float(value)


KNOBS = (
    # Kong, the API gateway
    Knob("kong_up", True, "flag", "Kong answers on its port; false refuses connections", ("KongDown", "ServiceDown")),
    Knob(
        "kong_request_rate",
        40,
        "requests/s",
        "requests through Kong",
        ("KongHighRequestRate", "KongNoRequests"),
        high=5000,
    ),
    Knob(
        "kong_error_ratio",
        0.0005,
        "ratio",
        "share of requests that end in a 5xx",
        ("KongHighErrorRate", "APIErrorBudgetBurnFast", "APIErrorBudgetBurnSlow"),
        high=1,
    ),
    Knob(
        "kong_client_error_ratio",
        0.02,
        "ratio",
        "share of requests that end in a 4xx",
        ("KongHighClientErrorRate",),
        high=1,
    ),
    Knob(
        "kong_latency_ms",
        30,
        "ms",
        "median latency of the upstreams; other routes than REST are a fixed factor off it",
        ("KongHighLatency",),
        low=1,
        high=60_000,
    ),
    Knob("kong_response_bytes", 4096, "bytes", "median size of a response", low=1, high=10_000_000),
    Knob(
        "kong_metrics",
        KONG_METRIC_GROUPS,
        "list",
        "metric groups switched on in the Prometheus plugin; an empty list is a Kong without the plugin",
        ("KeyMetricAbsent",),
        choices=KONG_METRIC_GROUPS,
    ),
    Knob(
        "kong_unhealthy_targets",
        0,
        "targets",
        "upstream targets that fail their health check",
        ("KongUpstreamUnhealthy",),
        high=6,
        whole=True,
    ),
    Knob("kong_datastore_reachable", True, "flag", "Kong reaches its database"),
    Knob(
        "kong_metric_errors_per_minute",
        0,
        "errors/min",
        "errors of Kong's own metrics library",
        ("KongMetricErrors",),
        high=6000,
    ),
    Knob(
        "kong_shared_dict_usage",
        0.1,
        "ratio",
        "share of Kong's shared memory zones in use",
        ("KongSharedDictNearlyFull",),
        high=1,
    ),
    # The WebSocket server
    Knob(
        "websocket_up",
        True,
        "flag",
        "the WebSocket server answers on its port; false refuses connections",
        ("WebSocketServerDown", "ServiceDown"),
    ),
    Knob(
        "websocket_connections",
        250,
        "connections",
        "open connections",
        ("WebSocketHighConnectionCount", "WebSocketConnectionsDropped"),
        high=1_000_000,
        whole=True,
    ),
    Knob(
        "websocket_message_rate",
        60,
        "messages/s",
        "messages, both directions together",
        ("WebSocketNoMessages",),
        high=5000,
    ),
    Knob(
        "websocket_error_ratio",
        0.0005,
        "ratio",
        "share of messages that fail",
        ("WebSocketHighErrorRate", "WebSocketErrorBudgetBurnFast", "WebSocketErrorBudgetBurnSlow"),
        high=1,
    ),
    Knob(
        "websocket_latency_seconds",
        0.02,
        "s",
        "median time from a message's arrival to its delivery",
        ("WebSocketHighLatency",),
        low=0.001,
        high=60,
    ),
    # Supabase Realtime
    Knob(
        "realtime_up",
        True,
        "flag",
        "Realtime answers on its port; false refuses connections",
        ("RealtimeDown", "ServiceDown"),
    ),
    Knob(
        "realtime_channels",
        120,
        "connections",
        "clients with at least one channel",
        ("RealtimeHighChannelCount",),
        high=1_000_000,
        whole=True,
    ),
    Knob(
        "realtime_event_rate",
        30,
        "events/s",
        "broadcast events; without any, nor presence and database events, there are no events at all",
        ("RealtimeHighEventRate", "RealtimeNoEvents"),
        high=100_000,
    ),
    Knob("realtime_presence_rate", 5, "events/s", "presence events", high=100_000),
    Knob("realtime_db_event_rate", 10, "events/s", "database change events", high=100_000),
    Knob("realtime_join_rate", 1, "joins/s", "channel joins", high=10_000),
    Knob("realtime_error_rate", 0, "errors/s", "joins that fail", ("RealtimeChannelErrors",), high=10_000),
    Knob("realtime_latency_ms", 12, "ms", "median time to handle a channel message", low=1, high=60_000),
    Knob(
        "realtime_replication_ms",
        15,
        "ms",
        "median time to read the database's changes",
        ("RealtimeReplicationSlow",),
        low=1,
        high=60_000,
    ),
    # The application
    Knob(
        "application_up",
        True,
        "flag",
        "the application answers on its metrics port; false refuses connections",
        ("ServiceDown",),
    ),
    Knob("subscriptions", 10_000, "subscriptions", "usual number of subscriptions", low=1, high=10_000_000, whole=True),
    Knob("subscribe_rate", 0.5, "subscriptions/s", "new subscriptions", ("LowSubscriptionRate",), high=1000),
    Knob(
        "unsubscribe_rate",
        0.5,
        "subscriptions/s",
        "cancelled subscriptions, at the usual number of them; fewer left, fewer cancelled",
        ("HighUnsubscribeRate", "ActiveSubscriptionsDropped"),
        high=1000,
    ),
    Knob("event_rate", 8, "events/s", "events the application processes", ("NoEventsProcessed",), high=5000),
    Knob("alert_ratio", 0.05, "ratio", "share of events that trigger an alert to users", high=1),
    Knob(
        "notifications_per_alert",
        1.6,
        "notifications",
        "notifications sent for each such alert",
        ("NotificationsStalled",),
        high=100,
    ),
    Knob(
        "cache_hit_ratio",
        0.93,
        "ratio",
        "share of Redis look-ups that find their key",
        ("BusinessCacheHitRatioLow", "RedisLowHitRatio"),
        high=1,
    ),
    Knob(
        "query_seconds",
        0,
        "s",
        "time added to each database query of the application",
        ("BusinessQueriesSlow", "PostgreSQLSlowQueries"),
        high=30,
    ),
    # PostgreSQL, for real
    Knob("postgres_transaction_rate", 5, "transactions/s", "transactions, one after the other", high=500),
    Knob(
        "postgres_rollback_ratio",
        0.01,
        "ratio",
        "share of transactions rolled back",
        ("PostgreSQLHighRollbackRate",),
        high=1,
    ),
    Knob(
        "postgres_connections",
        0,
        "connections",
        "idle connections held open beyond those that work; four fewer than the server grants are the most",
        ("PostgreSQLTooManyConnections",),
        high=500,
        whole=True,
    ),
    Knob(
        "postgres_deadlocks_per_minute",
        0,
        "deadlocks/min",
        "deadlocks, each between two transactions; the server takes a second to see one",
        ("PostgreSQLDeadlocks",),
        high=40,
    ),
    Knob(
        "postgres_slow_queries_per_minute",
        2,
        "queries/min",
        "slow queries, one after the other",
        ("PostgreSQLSlowQueries",),
        high=600,
    ),
    Knob("postgres_slow_query_seconds", 0.5, "s", "how long a slow query takes", high=30),
    Knob(
        "postgres_long_transaction_seconds",
        0,
        "s",
        "keep one transaction open and idle this long, again and again; 0 is none",
        ("PostgreSQLLongTransaction",),
        high=3600,
    ),
    Knob(
        "postgres_replica_paused",
        False,
        "flag",
        "the replica stops replaying, so its lag grows",
        ("PostgreSQLHighReplicationLag",),
    ),
    Knob(
        "postgres_failed_logins_per_minute",
        0,
        "log-ins/min",
        "log-ins with a wrong password, one after the other",
        ("AuthenticationFailures",),
        high=600,
    ),
    Knob(
        "postgres_fatal_errors_per_minute",
        0,
        "errors/min",
        "log-ins to a database that does not exist, which is a FATAL error",
        ("PostgreSQLFatal",),
        high=600,
    ),
    # Nginx, for real, and the API behind it
    Knob("api_request_rate", 5, "requests/s", "requests to the API through Nginx, one after the other", high=200),
    Knob(
        "api_error_ratio",
        0.0005,
        "ratio",
        "share of the API's answers that are a 500",
        ("NginxServerErrors",),
        high=1,
    ),
    Knob(
        "api_unauthorized_ratio",
        0.001,
        "ratio",
        "share of the API's answers that are a 401",
        ("AuthenticationFailures",),
        high=1,
    ),
    # Redis, for real
    Knob("redis_command_rate", 50, "commands/s", "cache look-ups and updates", high=5000),
    Knob(
        "redis_connections",
        0,
        "connections",
        "idle clients beyond those that work; twelve fewer than maxclients are the most",
        ("RedisHighConnectionCount",),
        high=5000,
        whole=True,
    ),
    Knob(
        "redis_fill_bytes",
        0,
        "bytes",
        "memory filled with ballast; more than maxmemory makes Redis evict without end",
        ("RedisHighMemoryUsage", "RedisHighEvictionRate"),
        high=1_000_000_000,
        whole=True,
    ),
    # The logs
    Knob("log_rate", 4, "lines/s", "log lines about single requests and events", high=1000),
    Knob(
        "log_error_rate",
        0,
        "lines/s",
        "log lines of level error, beyond those of real trouble",
        ("LogErrorBurst",),
        high=100,
    ),
)


class Knobs:
    """The present values. Safe to use from any thread."""

    def __init__(self, knobs: tuple[Knob, ...] = KNOBS) -> None:
        self._knobs = {knob.name: knob for knob in knobs}
        self._values: dict[str, Value] = {knob.name: knob.default for knob in knobs}
        self._lock = threading.Lock()

    def flag(self, name: str) -> bool:
        """Return the value of a true/false knob."""
        value = self._values[name]
        assert isinstance(value, bool), name
        return value

    def number(self, name: str) -> float:
        """Return the value of a knob that is a number."""
        value = self._values[name]
        assert isinstance(value, int | float), name
        return value

    def choice(self, name: str) -> tuple[str, ...]:
        """Return the value of a knob that is a list."""
        value = self._values[name]
        assert isinstance(value, tuple), name
        return value

    def change(self, changes: Mapping[str, object]) -> None:
        """Set several knobs at once. Raises KnobError, and then nothing at all has changed."""
        checked = {name: self._find(name).check(value) for name, value in changes.items()}
        with self._lock:
            self._values = {**self._values, **checked}

    def reset(self) -> None:
        """Set every knob back to its default."""
        with self._lock:
            self._values = {knob.name: knob.default for knob in self._knobs.values()}

    def describe(self) -> dict[str, dict[str, object]]:
        """Return each knob with its value, default, unit, description and limits, ready for JSON."""
        values = self._values
        return {name: _describe(knob, values[name]) for name, knob in self._knobs.items()}

    def _find(self, name: str) -> Knob:
        if name not in self._knobs:
            raise KnobError(f"{name}: there is no such knob; GET /state lists them all")
        return self._knobs[name]


def _describe(knob: Knob, value: Value) -> dict[str, object]:
    entry: dict[str, object] = {
        "value": value,
        "default": knob.default,
        "unit": knob.unit,
        "description": knob.description,
        "provokes": knob.provokes,
    }
    if knob.choices:
        entry["choices"] = knob.choices
    elif not isinstance(knob.default, bool):
        entry["min"], entry["max"] = knob.low, knob.high
    return entry
