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


def _flag(name: str, default: bool, description: str, *provokes: str) -> Knob:
    return Knob(name, default, "flag", description, provokes)


def _ratio(name: str, default: float, description: str, *provokes: str) -> Knob:
    return Knob(name, default, "ratio", description, provokes, high=1)


def _number(
    name: str, default: float, high: float, unit: str, description: str, *provokes: str, low: float = 0
) -> Knob:
    return Knob(name, default, unit, description, provokes, low, high)


def _count(name: str, default: int, high: int, unit: str, description: str, *provokes: str, low: int = 0) -> Knob:
    return Knob(name, default, unit, description, provokes, low, high, whole=True)


KNOBS = (
    # Kong, the API gateway
    _flag("kong_up", True, "Kong answers on its port; false refuses connections", "KongDown", "ServiceDown"),
    _number(
        "kong_request_rate", 40, 5000, "requests/s", "requests through Kong", "KongHighRequestRate", "KongNoRequests"
    ),
    _ratio(
        "kong_error_ratio",
        0.0005,
        "share of requests that end in a 5xx",
        "KongHighErrorRate",
        "APIErrorBudgetBurnFast",
        "APIErrorBudgetBurnSlow",
    ),
    _ratio("kong_client_error_ratio", 0.02, "share of requests that end in a 4xx", "KongHighClientErrorRate"),
    _number(
        "kong_latency_ms",
        30,
        60_000,
        "ms",
        "median latency of the upstreams; other routes than REST are a fixed factor off it",
        "KongHighLatency",
        low=1,
    ),
    _number("kong_response_bytes", 4096, 10_000_000, "bytes", "median size of a response", low=1),
    Knob(
        "kong_metrics",
        KONG_METRIC_GROUPS,
        "list",
        "metric groups switched on in the Prometheus plugin; an empty list is a Kong without the plugin",
        ("KeyMetricAbsent",),
        choices=KONG_METRIC_GROUPS,
    ),
    _count(
        "kong_unhealthy_targets",
        0,
        6,
        "targets",
        "upstream targets that fail their health check",
        "KongUpstreamUnhealthy",
    ),
    _flag("kong_datastore_reachable", True, "Kong reaches its database"),
    _number(
        "kong_metric_errors_per_minute",
        0,
        6000,
        "errors/min",
        "errors of Kong's own metrics library",
        "KongMetricErrors",
    ),
    _ratio("kong_shared_dict_usage", 0.1, "share of Kong's shared memory zones in use", "KongSharedDictNearlyFull"),
    # The WebSocket server
    _flag(
        "websocket_up",
        True,
        "the WebSocket server answers on its port; false refuses connections",
        "WebSocketServerDown",
        "ServiceDown",
    ),
    _count(
        "websocket_connections",
        250,
        1_000_000,
        "connections",
        "open connections",
        "WebSocketHighConnectionCount",
        "WebSocketConnectionsDropped",
    ),
    _number(
        "websocket_message_rate", 60, 5000, "messages/s", "messages, both directions together", "WebSocketNoMessages"
    ),
    _ratio(
        "websocket_error_ratio",
        0.0005,
        "share of messages that fail",
        "WebSocketHighErrorRate",
        "WebSocketErrorBudgetBurnFast",
        "WebSocketErrorBudgetBurnSlow",
    ),
    _number(
        "websocket_latency_seconds",
        0.02,
        60,
        "s",
        "median time from a message's arrival to its delivery",
        "WebSocketHighLatency",
        low=0.001,
    ),
    # Supabase Realtime
    _flag(
        "realtime_up", True, "Realtime answers on its port; false refuses connections", "RealtimeDown", "ServiceDown"
    ),
    _count(
        "realtime_channels",
        120,
        1_000_000,
        "connections",
        "clients with at least one channel",
        "RealtimeHighChannelCount",
    ),
    _number(
        "realtime_event_rate",
        30,
        100_000,
        "events/s",
        "broadcast events; without any, nor presence and database events, there are no events at all",
        "RealtimeHighEventRate",
        "RealtimeNoEvents",
    ),
    _number("realtime_presence_rate", 5, 100_000, "events/s", "presence events"),
    _number("realtime_db_event_rate", 10, 100_000, "events/s", "database change events"),
    _number("realtime_join_rate", 1, 10_000, "joins/s", "channel joins"),
    _number("realtime_error_rate", 0, 10_000, "errors/s", "joins that fail", "RealtimeChannelErrors"),
    _number("realtime_latency_ms", 12, 60_000, "ms", "median time to handle a channel message", low=1),
    _number(
        "realtime_replication_ms",
        15,
        60_000,
        "ms",
        "median time to read the database's changes",
        "RealtimeReplicationSlow",
        low=1,
    ),
    # The application
    _flag(
        "application_up", True, "the application answers on its metrics port; false refuses connections", "ServiceDown"
    ),
    _count("subscriptions", 10_000, 10_000_000, "subscriptions", "usual number of subscriptions", low=1),
    _number("subscribe_rate", 0.5, 1000, "subscriptions/s", "new subscriptions", "LowSubscriptionRate"),
    _number(
        "unsubscribe_rate",
        0.5,
        1000,
        "subscriptions/s",
        "cancelled subscriptions, at the usual number of them; fewer left, fewer cancelled",
        "HighUnsubscribeRate",
        "ActiveSubscriptionsDropped",
    ),
    _number("event_rate", 8, 5000, "events/s", "events the application processes", "NoEventsProcessed"),
    _ratio("alert_ratio", 0.05, "share of events that trigger an alert to users"),
    _number(
        "notifications_per_alert",
        1.6,
        100,
        "notifications",
        "notifications sent for each such alert",
        "NotificationsStalled",
    ),
    _ratio(
        "cache_hit_ratio",
        0.93,
        "share of Redis look-ups that find their key",
        "BusinessCacheHitRatioLow",
        "RedisLowHitRatio",
    ),
    _number(
        "query_seconds",
        0,
        30,
        "s",
        "time added to each database query of the application",
        "BusinessQueriesSlow",
        "PostgreSQLSlowQueries",
    ),
    # PostgreSQL, for real
    _number("postgres_transaction_rate", 5, 500, "transactions/s", "transactions, one after the other"),
    _ratio("postgres_rollback_ratio", 0.01, "share of transactions rolled back", "PostgreSQLHighRollbackRate"),
    _count(
        "postgres_connections",
        0,
        500,
        "connections",
        "idle connections held open beyond those that work; four fewer than the server grants are the most",
        "PostgreSQLTooManyConnections",
    ),
    _number(
        "postgres_deadlocks_per_minute",
        0,
        40,
        "deadlocks/min",
        "deadlocks, each between two transactions; the server takes a second to see one",
        "PostgreSQLDeadlocks",
    ),
    _number(
        "postgres_slow_queries_per_minute",
        2,
        600,
        "queries/min",
        "slow queries, one after the other",
        "PostgreSQLSlowQueries",
    ),
    _number("postgres_slow_query_seconds", 0.5, 30, "s", "how long a slow query takes"),
    _number(
        "postgres_long_transaction_seconds",
        0,
        3600,
        "s",
        "keep one transaction open and idle this long, again and again; 0 is none",
        "PostgreSQLLongTransaction",
    ),
    _flag(
        "postgres_replica_paused",
        False,
        "the replica stops replaying, so its lag grows",
        "PostgreSQLHighReplicationLag",
    ),
    _number(
        "postgres_failed_logins_per_minute",
        0,
        600,
        "log-ins/min",
        "log-ins with a wrong password, one after the other",
        "AuthenticationFailures",
    ),
    _number(
        "postgres_fatal_errors_per_minute",
        0,
        600,
        "errors/min",
        "log-ins to a database that does not exist, which is a FATAL error",
        "PostgreSQLFatal",
    ),
    # Nginx, for real, and the API behind it
    _number("api_request_rate", 5, 200, "requests/s", "requests to the API through Nginx, one after the other"),
    _ratio("api_error_ratio", 0.0005, "share of the API's answers that are a 500", "NginxServerErrors"),
    _ratio("api_unauthorized_ratio", 0.001, "share of the API's answers that are a 401", "AuthenticationFailures"),
    # Redis, for real
    _number("redis_command_rate", 50, 5000, "commands/s", "cache look-ups and updates"),
    _count(
        "redis_connections",
        0,
        5000,
        "connections",
        "idle clients beyond those that work; twelve fewer than maxclients are the most",
        "RedisHighConnectionCount",
    ),
    _count(
        "redis_fill_bytes",
        0,
        1_000_000_000,
        "bytes",
        "memory filled with ballast; more than maxmemory makes Redis evict without end",
        "RedisHighMemoryUsage",
        "RedisHighEvictionRate",
    ),
    # The logs
    _number("log_rate", 4, 1000, "lines/s", "log lines about single requests and events"),
    _number(
        "log_error_rate", 0, 100, "lines/s", "log lines of level error, beyond those of real trouble", "LogErrorBurst"
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
