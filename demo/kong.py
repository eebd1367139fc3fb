"""A Kong 3.9 gateway, as its Prometheus plugin shows it: the Status API's /metrics.

Names, labels, types and buckets are those of kong/plugins/prometheus/exporter.lua. Two habits of the real
plugin that rules must cope with are kept: without the plugin the page still answers 200 but holds only the
gauges of the node; and a WebSocket passing through counts as one request as long as its connection.
One is not: Kong creates a series with the first request it counts, here all exist from the start.
"""

import random
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIEnvironment

from demo.exposition import Family, Registry
from demo.journal import Allowance, Journal, new_request_id
from demo.knobs import Knobs
from demo.servers import respond
from demo.traffic import draw_count, lognormal, wave

VERSION = "3.9.1"
KONG_BUCKETS = (1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000)
LATENCY_BUCKETS = (25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000)
WORKSPACE = "default"
WORKERS = ("1312", "1313")
SHARED_DICTS = {
    "kong": 5_242_880,
    "kong_core_db_cache": 134_217_728,
    "kong_db_cache": 134_217_728,
    "kong_healthchecks": 5_242_880,
    "kong_locks": 8_388_608,
    "kong_rate_limiting_counters": 12_582_912,
    "prometheus_metrics": 5_242_880,
}
HEALTH_STATES = ("healthchecks_off", "healthy", "unhealthy", "dns_error")

# What may come back: the status and whether the upstream said it or the gateway itself.
Answer = tuple[str, str]
FINE: tuple[Answer, ...] = (("200", "service"), ("201", "service"), ("204", "service"))
CLIENT_ERRORS: tuple[Answer, ...] = (
    ("400", "service"),
    ("401", "kong"),
    ("403", "service"),
    ("404", "service"),
    ("429", "kong"),
)
SERVER_ERRORS: tuple[Answer, ...] = (("500", "service"), ("502", "kong"), ("503", "kong"), ("504", "kong"))
SWITCHED: Answer = ("101", "service")


@dataclass(frozen=True)
class Route:
    """A service of self-hosted Supabase behind the gateway, with its one route.

    `weight` is its share of the requests, `slowness` the factor on the knob's latency.
    """

    service: str
    path: str
    weight: float
    slowness: float

    @property
    def name(self) -> str:
        """The route's name, as Supabase's kong.yml has it."""
        return f"{self.service}-all"

    @property
    def is_websocket(self) -> bool:
        """Whether a request here lasts as long as its connection."""
        return self.service == "realtime-v1-ws"

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Everything this route can answer."""
        return (*((SWITCHED,) if self.is_websocket else FINE), *CLIENT_ERRORS, *SERVER_ERRORS)


ROUTES = (
    Route("rest-v1", "/rest/v1/prices", 50, 1.0),
    Route("auth-v1", "/auth/v1/token", 18, 0.8),
    Route("graphql-v1", "/graphql/v1", 10, 1.3),
    Route("storage-v1", "/storage/v1/object/charts", 10, 1.8),
    Route("functions-v1", "/functions/v1/alerts", 9, 2.0),
    Route("realtime-v1-rest", "/realtime/v1/api/broadcast", 2.7, 0.7),
    Route("realtime-v1-ws", "/realtime/v1/websocket", 0.3, 1.0),
)
UPSTREAMS = tuple((service, f"{service}-{number}") for service in ("auth", "rest", "storage") for number in (1, 2))


class Kong:
    """The gateway: call `tick` often, serve `application`."""

    def __init__(self, knobs: Knobs, journal: Journal) -> None:
        self._knobs = knobs
        self._journal = journal
        # Failed requests have their own share: they are the ones somebody will look for.
        self._allowances = {False: Allowance(knobs, 0.7), True: Allowance(knobs, 0.4)}
        self._node = str(uuid.uuid4())
        self._requests_total = 0
        self._connections_total = 0
        self._connections_active = 0
        self._registry = Registry(write_bound=str)
        self._create_node_metrics()
        self._create_request_metrics()
        for route in ROUTES:
            self._create_series(route)
        self._refresh_node()

    def tick(self, seconds: float) -> None:
        """Let `seconds` of traffic pass."""
        if not self._knobs.flag("kong_up"):
            return
        count = draw_count(self._knobs.number("kong_request_rate") * wave(time.time()), seconds)
        routes = random.choices(ROUTES, [route.weight for route in ROUTES], k=count)
        with self._registry.lock:
            self._requests_total += count
            self._connections_total += draw_count(count, 0.2)
            self._connections_active = max(1, draw_count(count / seconds, 0.25))
            self._metric_errors.add(draw_count(self._knobs.number("kong_metric_errors_per_minute") / 60, seconds))
            for route in routes:
                self._pass(route)
            self._refresh_node()

    def application(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a scrape."""
        return respond(start, "200 OK", "text/plain; charset=UTF-8", self._registry.render(self._hidden()))

    def _create_node_metrics(self) -> None:
        add = self._registry
        self._connections = add.gauge(
            "kong_nginx_connections_total", "Number of connections by subsystem", "node_id", "subsystem", "state"
        )
        self._nginx_requests = add.gauge(
            "kong_nginx_requests_total", "Number of requests total", "node_id", "subsystem"
        )
        self._timers = add.gauge("kong_nginx_timers", "Number of nginx timers", "state")
        self._datastore = add.gauge("kong_datastore_reachable", "Datastore reachable from Kong, 0 is unreachable")
        node_info = add.gauge("kong_node_info", "Kong Node metadata information", "node_id", "version")
        node_info.set(1, self._node, VERSION)
        self._targets = add.gauge(
            "kong_upstream_target_health",
            "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, "
            "value is 1 when state is populated.",
            "upstream",
            "target",
            "address",
            "state",
            "subsystem",
        )
        self._worker_memory = add.gauge(
            "kong_memory_workers_lua_vms_bytes", "Allocated bytes in worker Lua VM", "node_id", "pid", "kong_subsystem"
        )
        dict_labels = ("node_id", "shared_dict", "kong_subsystem")
        self._dict_memory = add.gauge(
            "kong_memory_lua_shared_dict_bytes", "Allocated slabs in bytes in a shared_dict", *dict_labels
        )
        capacity = add.gauge(
            "kong_memory_lua_shared_dict_total_bytes", "Total capacity in bytes of a shared_dict", *dict_labels
        )
        for name, size in SHARED_DICTS.items():
            capacity.set(size, self._node, name, "http")

    def _create_request_metrics(self) -> None:
        add = self._registry
        self._metric_errors = add.counter("kong_nginx_metric_errors_total", "Number of nginx-lua-prometheus errors")
        self._metric_errors.add(0)
        self._requests = add.counter(
            "kong_http_requests_total",
            "HTTP status codes per consumer/service/route in Kong",
            "service",
            "route",
            "code",
            "source",
            "workspace",
            "consumer",
        )
        self._bandwidth = add.counter(
            "kong_bandwidth_bytes",
            "Total bandwidth (ingress/egress) throughput in bytes",
            "service",
            "route",
            "direction",
            "workspace",
            "consumer",
        )
        labels = ("service", "route", "workspace")
        self._kong_latency = add.histogram(
            "kong_kong_latency_ms",
            "Latency added by Kong and enabled plugins for each service/route in Kong",
            KONG_BUCKETS,
            *labels,
        )
        self._upstream_latency = add.histogram(
            "kong_upstream_latency_ms",
            "Latency added by upstream response for each service/route in Kong",
            LATENCY_BUCKETS,
            *labels,
        )
        self._request_latency = add.histogram(
            "kong_request_latency_ms",
            "Total latency incurred during requests for each service/route in Kong",
            LATENCY_BUCKETS,
            *labels,
        )

    def _create_series(self, route: Route) -> None:
        for code, source in route.answers:
            self._requests.add(0, route.service, route.name, code, source, WORKSPACE, "")
        for direction in ("ingress", "egress"):
            self._bandwidth.add(0, route.service, route.name, direction, WORKSPACE, "")
        for histogram in (self._kong_latency, self._upstream_latency, self._request_latency):
            histogram.create(route.service, route.name, WORKSPACE)

    def _hidden(self) -> frozenset[Family]:
        """Return the families that the plugin's configuration leaves out."""
        groups: dict[str, tuple[Family, ...]] = {
            "status_code": (self._requests,),
            "latency": (self._kong_latency, self._upstream_latency, self._request_latency),
            "bandwidth": (self._bandwidth,),
            "upstream_health": (self._targets,),
        }
        wanted = self._knobs.choice("kong_metrics")
        hidden = [family for group, families in groups.items() if group not in wanted for family in families]
        # Without the plugin only the node's gauges are left.
        return frozenset(hidden if wanted else [*hidden, self._metric_errors])

    def _refresh_node(self) -> None:
        """Bring the gauges of the node up to date."""
        connections = {
            "accepted": self._connections_total,
            "handled": self._connections_total,
            "total": self._requests_total,
            "active": self._connections_active,
            "reading": 0,
            "writing": (self._connections_active + 1) // 2,
            "waiting": self._connections_active // 2,
        }
        for state, value in connections.items():
            self._connections.set(value, self._node, "http", state)
        self._nginx_requests.set(self._requests_total, self._node, "http")
        self._timers.set(2, "running")
        self._timers.set(12, "pending")
        self._datastore.set(int(self._knobs.flag("kong_datastore_reachable")))
        for pid in WORKERS:
            self._worker_memory.set(52_000_000 + random.randrange(6_000_000), self._node, pid, "http")
        usage = self._knobs.number("kong_shared_dict_usage")
        for name, size in SHARED_DICTS.items():
            self._dict_memory.set(round(size * usage), self._node, name, "http")
        unhealthy = self._knobs.number("kong_unhealthy_targets")
        for number, (upstream, host) in enumerate(UPSTREAMS):
            present = "unhealthy" if number < unhealthy else "healthy"
            for state in HEALTH_STATES:
                value = int(state == present)
                self._targets.set(value, upstream, f"{host}:3000", f"172.28.0.{number + 10}:3000", state, "http")

    def _pass(self, route: Route) -> None:
        """Let one request pass through."""
        code, source = self._answer(route)
        labels = (route.service, route.name, WORKSPACE)
        own = lognormal(2.0, 0.6)
        upstream = lognormal(self._knobs.number("kong_latency_ms") * route.slowness)
        total = own
        # What the gateway answers itself never reached an upstream.
        if source == "service":
            total += upstream
            self._upstream_latency.observe(round(upstream), *labels)
        if code == "101":
            total = lognormal(180_000, 0.8)
        received = round(lognormal(700))
        sent = round(lognormal(self._knobs.number("kong_response_bytes"))) if code in ("101", "200") else 420
        self._kong_latency.observe(round(own), *labels)
        self._request_latency.observe(round(total), *labels)
        self._requests.add(1, route.service, route.name, code, source, WORKSPACE, "")
        self._bandwidth.add(received, route.service, route.name, "ingress", WORKSPACE, "")
        self._bandwidth.add(sent, route.service, route.name, "egress", WORKSPACE, "")
        self._tell(route, code, source, round(total, 1), sent)

    def _answer(self, route: Route) -> Answer:
        draw = random.random()
        errors = self._knobs.number("kong_error_ratio")
        if draw < errors:
            return random.choice(SERVER_ERRORS)
        if draw < errors + self._knobs.number("kong_client_error_ratio"):
            return random.choice(CLIENT_ERRORS)
        return SWITCHED if route.is_websocket else random.choices(FINE, (85, 10, 5))[0]

    def _tell(self, route: Route, code: str, source: str, latency_ms: float, sent: int) -> None:
        """Journal one request's story under one request id, if there is room for it in the logs."""
        if not self._allowances[code >= "500"].take(3):
            return
        request_id = new_request_id()
        method = "GET" if code != "201" else "POST"
        about = {"service": route.service, "route": route.name, "method": method, "path": route.path}
        self._journal.info("request_received", f"{method} {route.path}", request_id, **about)
        if source == "service":
            self._journal.info("upstream_called", f"{route.service} was called", request_id, **about)
        else:
            self._journal.warn("upstream_not_reached", f"the gateway itself answered {code}", request_id, **about)
        say = self._journal.error if code >= "500" else self._journal.warn if code >= "400" else self._journal.info
        say(
            "request_completed",
            f"{method} {route.path} {code}",
            request_id,
            **about,
            status=int(code),
            source=source,
            latency_ms=latency_ms,
            bytes=sent,
        )
