"""Supabase Realtime, as its /metrics shows it.

Names, labels, types and buckets are those of supabase/realtime's lib/realtime/monitoring. Like there, every
series carries region, host and id, and the page wants a signed JWT.
"""

import random
import re
import time
from collections.abc import Iterable
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIEnvironment

import jwt

from demo.exposition import Registry
from demo.knobs import Knobs
from demo.servers import respond
from demo.traffic import approach, draw_count, lognormal, wave

TENANT = "realtime-dev"
GLOBAL_LABELS = {"host": "realtime-dev.supabase-realtime", "id": "realtime-dev.supabase-realtime", "region": "local"}
ENDPOINT = "RealtimeWeb.Endpoint"
SERIALIZER = "Phoenix.Socket.V2.JSONSerializer"
ERROR_CODES = ("ChannelRateLimitReached", "ConnectionRateLimitReached", "Unauthorized", "UnableToSetPolicies")
MESSAGE_TYPES = ("broadcast", "presence", "postgres_changes")
PHOENIX_BUCKETS = (10, 100, 500, 1000, 5000, 10000)
AUTHORIZATION_BUCKETS = (10, 250, 5000, 15000)
BROADCAST_BUCKETS = (10, 250, 5000)
SIZE_BUCKETS = (250, 500, 1000, 3000, 5000, 10_000, 25_000, 100_000, 500_000, 1_000_000, 3_000_000)

# A histogram sees at most this many draws a tick; each stands for its share of the events.
_DRAWS = 20


class Realtime:
    """The Realtime server: call `tick` often, serve `application`. `secret` signs the scraper's JWT."""

    def __init__(self, knobs: Knobs, secret: str) -> None:
        self._knobs = knobs
        self._secret = secret
        self._started = time.time()
        self._connected = 0.0
        self._registry = Registry(write_bound=elixir_float, constant=GLOBAL_LABELS)
        self._create_gauges()
        self._create_counters()
        self._create_histograms()
        self._refresh_gauges(self._connected)

    def tick(self, seconds: float) -> None:
        """Let `seconds` of traffic pass."""
        if not self._knobs.flag("realtime_up"):
            self._connected = 0.0
            return
        factor = wave(time.time())
        self._connected = approach(self._connected, self._knobs.number("realtime_channels"), seconds)
        with self._registry.lock:
            self._refresh_gauges(self._connected)
            self._count_events("events", "realtime_event_rate", "broadcast", factor, seconds)
            self._count_events("presence_events", "realtime_presence_rate", "presence", factor, seconds)
            self._count_events("db_events", "realtime_db_event_rate", "postgres_changes", factor, seconds)
            self._count_joins(factor, seconds)
            self._poll_replication(seconds)

    def application(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a scrape, if it brings a JWT signed with the secret; else 403 and nothing."""
        if not self._is_authorized(environ.get("HTTP_AUTHORIZATION", "")):
            return respond(start, "403 Forbidden", "text/plain; charset=utf-8", b"")
        body = self._registry.render() + b"# EOF\n"
        return respond(start, "200 OK", "text/plain; charset=utf-8", body)

    def _is_authorized(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            return False
        try:
            token = re.sub(r"\s", "", unquote(token))
            jwt.decode(token, self._secret, algorithms=["HS256", "HS384", "HS512"], options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return False
        return True

    def _create_gauges(self) -> None:
        add = self._registry.gauge
        self._tenant_connected = add(
            "realtime_connections_connected", "The node total count of connected clients for a tenant.", "tenant"
        )
        self._tenant_cluster = add(
            "realtime_connections_connected_cluster",
            "The cluster total count of connected clients for a tenant.",
            "tenant",
        )
        self._all_connected = add(
            "realtime_connections_global_connected",
            "The node total count of connected clients across all tenants.",
        )
        self._all_cluster = add(
            "realtime_connections_global_connected_cluster",
            "The cluster total count of connected clients across all tenants.",
        )
        self._tenants = add("realtime_tenants_connected", "The total count of connected tenants.")
        self._sockets = add("phoenix_connections_total", "The total open connections to ranch.")
        self._active = add(
            "phoenix_connections_active", "Connections actively processing a request or WebSocket frame."
        )
        limit = add("phoenix_connections_max", "The configured maximum connections limit for the ranch listener.")
        limit.set(16_384)
        self._load = {
            name: add(f"osmon_{name}", help_text)
            for name, help_text in (
                ("ram_usage", "The total percentage usage of operative memory."),
                ("cpu_util", "The sum of the percentage shares of the CPU cycles spent in all busy processor states."),
                ("cpu_avg1", "The average system load in the last minute."),
                ("cpu_avg5", "The average system load in the last five minutes."),
                ("cpu_avg15", "The average system load in the last 15 minutes."),
            )
        }
        self._memory = {
            part: add(f"beam_memory_{part}_bytes", f"The memory of the virtual machine: {part.replace('_', ' ')}.")
            for part in ("allocated", "atom_total", "binary_total", "code_total", "ets_total", "processes_total")
        }
        self._processes = add("beam_stats_process_count", "A count of how many Erlang processes are running.")
        self._run_queue = add("beam_stats_run_queue_count", "A count of the processes in the run queue.", "type")
        self._uptime = add("beam_stats_uptime_milliseconds_count", "The total number of wall clock milliseconds.")

    def _create_counters(self) -> None:
        add = self._registry.counter
        self._counts = {}
        for name, help_text in (
            ("events", "sum of messages sent on a Realtime Channel."),
            ("presence_events", "sum of presence messages sent on a Realtime Channel."),
            ("db_events", "sum of db messages sent on a Realtime Channel."),
            ("joins", "sum of Realtime Channel joins."),
            ("input_bytes", "sum of input bytes sent on sockets."),
            ("output_bytes", "sum of output bytes sent on sockets."),
        ):
            one = add(f"realtime_channel_{name}", help_text.capitalize(), "tenant")
            every = add(f"realtime_channel_global_{name}", f"Global {help_text}")
            self._counts[name] = (one, every)
            self._count(name, 0)
        self._errors = add(
            "realtime_channel_error", "Count of errors in the Realtime channels initialization", "code", "tenant"
        )
        self._all_errors = add(
            "realtime_channel_global_error", "Global count of errors in Realtime channel initialization.", "code"
        )
        self._joined = add(
            "phoenix_channel_joined_total",
            "The number of channel joins that have occurred.",
            "endpoint",
            "result",
            "transport",
        )
        for code in ERROR_CODES:
            self._errors.add(0, code, TENANT)
            self._all_errors.add(0, code)
        for result in ("ok", "error"):
            self._joined.add(0, ENDPOINT, result, "websocket")

    def _create_histograms(self) -> None:
        add = self._registry.histogram
        self._poll_duration = add(
            "realtime_replication_poller_query_duration",
            "Duration of the logical replication slot polling query for Realtime RLS.",
            SIZE_BUCKETS,
            "tenant",
        )
        self._read_check = add(
            "realtime_tenants_read_authorization_check",
            "Latency of read authorization checks.",
            AUTHORIZATION_BUCKETS,
            "tenant",
        )
        self._write_check = add(
            "realtime_tenants_write_authorization_check",
            "Latency of write authorization checks.",
            AUTHORIZATION_BUCKETS,
            "tenant",
        )
        self._committed = add(
            "realtime_tenants_broadcast_from_database_latency_committed_at",
            "Latency of database transaction start until reaches server to be broadcasted",
            BROADCAST_BUCKETS,
            "tenant",
        )
        self._inserted = add(
            "realtime_tenants_broadcast_from_database_latency_inserted_at",
            "Latency of database inserted_at until reaches server to be broadcasted",
            BROADCAST_BUCKETS,
            "tenant",
        )
        self._handled = add(
            "phoenix_channel_handled_in_duration_milliseconds",
            "The time it takes for the application to respond to channel messages.",
            PHOENIX_BUCKETS,
            "endpoint",
        )
        self._socket = add(
            "phoenix_socket_connected_duration_milliseconds",
            "The time it takes for the application to establish a socket connection.",
            PHOENIX_BUCKETS,
            "endpoint",
            "result",
            "serializer",
            "transport",
        )
        self._payload = add(
            "realtime_payload_size", "Global payload size across all tenants", SIZE_BUCKETS, "message_type"
        )
        self._tenant_payload = add(
            "realtime_tenants_payload_size", "Tenant payload size", SIZE_BUCKETS, "message_type", "tenant"
        )
        self._rpc = add(
            "realtime_global_rpc", "Global Latency of rpc calls", AUTHORIZATION_BUCKETS, "mechanism", "success"
        )
        for histogram in (self._poll_duration, self._read_check, self._write_check, self._committed, self._inserted):
            histogram.create(TENANT)
        self._handled.create(ENDPOINT)
        for result in ("ok", "error"):
            self._socket.create(ENDPOINT, result, SERIALIZER, "websocket")
        for message_type in MESSAGE_TYPES:
            self._payload.create(message_type)
            self._tenant_payload.create(message_type, TENANT)
        for success in ("true", "false"):
            self._rpc.create("erpc", success)

    def _refresh_gauges(self, connected: float) -> None:
        clients = round(connected)
        self._tenant_connected.set(clients, TENANT)
        self._tenant_cluster.set(clients, TENANT)
        self._all_connected.set(clients)
        self._all_cluster.set(clients)
        self._tenants.set(1)
        # Some sockets are open without a channel.
        sockets = round(connected * 1.08) + 2
        self._sockets.set(sockets)
        self._active.set(1 + sockets // 20)
        load = min(95.0, 4 + clients / 400)
        self._load["ram_usage"].set(round(min(90.0, 31 + clients / 2000), 2))
        for name in ("cpu_util", "cpu_avg1", "cpu_avg5", "cpu_avg15"):
            self._load[name].set(round(load if name == "cpu_util" else load / 50, 2))
        parts = {"atom_total": 2_100_000, "binary_total": 9_000_000, "code_total": 51_000_000, "ets_total": 17_000_000}
        parts["processes_total"] = 60_000_000 + clients * 40_000
        parts["allocated"] = sum(parts.values()) + 20_000_000
        for part, size in parts.items():
            self._memory[part].set(size)
        self._processes.set(820 + clients * 3)
        for kind in ("cpu", "io"):
            self._run_queue.set(0, kind)
        self._uptime.set(round((time.time() - self._started) * 1000))

    def _count(self, name: str, amount: int) -> None:
        one, every = self._counts[name]
        one.add(amount, TENANT)
        every.add(amount)

    def _count_events(self, name: str, knob: str, message_type: str, factor: float, seconds: float) -> None:
        count = draw_count(self._knobs.number(knob) * factor, seconds)
        self._count(name, count)
        for times in _shares(count):
            size = round(lognormal(450))
            self._count("input_bytes", size * times)
            self._count("output_bytes", size * times * 4)
            self._payload.observe(size, message_type, times=times)
            self._tenant_payload.observe(size, message_type, TENANT, times=times)
            latency = self._knobs.number("realtime_latency_ms")
            self._handled.observe(round(lognormal(latency)), ENDPOINT, times=times)
            self._write_check.observe(round(lognormal(4)), TENANT, times=times)
            if message_type == "postgres_changes":
                self._committed.observe(round(lognormal(latency * 4)), TENANT, times=times)
                self._inserted.observe(round(lognormal(latency * 3)), TENANT, times=times)

    def _count_joins(self, factor: float, seconds: float) -> None:
        joins = draw_count(self._knobs.number("realtime_join_rate") * factor, seconds)
        errors = draw_count(self._knobs.number("realtime_error_rate"), seconds)
        self._count("joins", joins)
        self._joined.add(joins, ENDPOINT, "ok", "websocket")
        self._joined.add(errors, ENDPOINT, "error", "websocket")
        for times in _shares(joins):
            self._read_check.observe(round(lognormal(5)), TENANT, times=times)
            self._socket.observe(round(lognormal(8)), ENDPOINT, "ok", SERIALIZER, "websocket", times=times)
        for times in _shares(errors):
            code = random.choice(ERROR_CODES)
            self._errors.add(times, code, TENANT)
            self._all_errors.add(times, code)

    def _poll_replication(self, seconds: float) -> None:
        for times in _shares(draw_count(10, seconds)):
            duration = lognormal(self._knobs.number("realtime_replication_ms"))
            self._poll_duration.observe(round(duration), TENANT, times=times)
        for times in _shares(draw_count(0.5, seconds)):
            self._rpc.observe(round(lognormal(3)), "erpc", "true", times=times)


def elixir_float(value: float) -> str:
    """Write a whole number as Elixir's Float.to_string does: the shorter of 500.0 and 5.0e2, 500.0 if equal."""
    plain = f"{value:.1f}"
    mantissa, _, exponent = f"{value:e}".partition("e")
    digits = mantissa.rstrip("0")
    scientific = f"{digits}0e{int(exponent)}" if digits.endswith(".") else f"{digits}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) else plain


def _shares(count: int) -> list[int]:
    """Split `count` events into at most a few groups: how many events each draw stands for."""
    groups = min(count, _DRAWS)
    return [count // groups + (number < count % groups) for number in range(groups)]
