"""The demo as a process: its pages, knobs, logs and end. Without PostgreSQL and Redis."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from demo.journal import Journal
from demo.knob import Knob, KnobError
from demo.knob_table import KNOBS
from demo.knobs import Knobs
from demo.kong import Kong
from demo.realtime import Realtime, elixir_float
from demo.traffic import draw_count
from tests.engine.deployment import eventually
from tests.unit.demo_process import REALTIME_SECRET, ROOT, Demo, Page, Series, running, token, wait_for

NO_SERVERS = ("--postgres-host", "", "--redis-host", "")

# Page -> metric -> its type, its labels and, of a histogram, its buckets.
METRICS: dict[str, dict[str, dict[str, str]]]
METRICS = yaml.safe_load((Path(__file__).parent / "demo_metrics.yaml").read_text())["pages"]

# What promtool says about the real Kong and the real Realtime too: their names break Prometheus' conventions.
REAL_COMPLAINTS = {
    "kong": {
        'kong_bandwidth_bytes counter metrics should have "_total" suffix',
        "kong_kong_latency_ms metric names should not contain abbreviated units",
        'kong_nginx_connections_total non-counter metrics should not have "_total" suffix',
        'kong_nginx_requests_total non-counter metrics should not have "_total" suffix',
        "kong_request_latency_ms metric names should not contain abbreviated units",
        "kong_upstream_latency_ms metric names should not contain abbreviated units",
    },
    "realtime": {
        'beam_stats_process_count non-histogram and non-summary metrics should not have "_count" suffix',
        'beam_stats_run_queue_count non-histogram and non-summary metrics should not have "_count" suffix',
        'beam_stats_uptime_milliseconds_count non-histogram and non-summary metrics should not have "_count" suffix',
        'beam_stats_uptime_milliseconds_count use base unit "seconds" instead of "milliseconds"',
        'phoenix_channel_handled_in_duration_milliseconds use base unit "seconds" instead of "milliseconds"',
        'phoenix_connections_total non-counter metrics should not have "_total" suffix',
        'phoenix_socket_connected_duration_milliseconds use base unit "seconds" instead of "milliseconds"',
        *(
            f'realtime_channel_{scope}{what} counter metrics should have "_total" suffix'
            for scope in ("", "global_")
            for what in ("events", "presence_events", "db_events", "joins", "input_bytes", "output_bytes", "error")
        ),
    },
    "websocket": set(),
    "app": set(),
}

# The alerts of the specification that only the demo can set off.
SPECIFIED_ALERTS = {
    "KongDown",
    "KongHighErrorRate",
    "KongHighLatency",
    "KongHighRequestRate",
    "WebSocketServerDown",
    "WebSocketHighConnectionCount",
    "WebSocketHighLatency",
    "WebSocketHighErrorRate",
    "RealtimeDown",
    "RealtimeHighChannelCount",
    "RealtimeHighEventRate",
    "HighUnsubscribeRate",
    "NoEventsProcessed",
    "LowSubscriptionRate",
    "PostgreSQLTooManyConnections",
    "PostgreSQLHighReplicationLag",
    "PostgreSQLDeadlocks",
    "RedisHighMemoryUsage",
    "RedisHighConnectionCount",
    "RedisHighEvictionRate",
    "ServiceDown",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    yield from running(Demo(tmp_path_factory.mktemp("demo"), *NO_SERVERS))


@pytest.fixture
def demo(shared: Demo) -> Demo:
    """A running demo with every knob at its default."""
    shared.reset()
    return shared


# The pages


@pytest.mark.parametrize("service", METRICS)
def test_page_has_exactly_the_specified_metrics(demo: Demo, service: str) -> None:
    page = demo.page(service)
    ours = {name: kind for name, kind in page.types.items() if not name.startswith("process_")}
    assert ours == {name: metric["type"] for name, metric in METRICS[service].items()}
    for name, metric in METRICS[service].items():
        kind, expected = metric["type"], set(metric.get("labels", "").split())
        if service == "realtime":
            expected |= {"region", "host", "id"}
        sample = f"{name}_count" if kind == "histogram" else name
        found = [set(series.labels) for series in page.series if series.name == sample]
        assert found, name
        assert all(labels == expected for labels in found), name
        if kind == "histogram":
            assert _bounds(page, name) == metric["buckets"].split(), name


def _bounds(page: Page, histogram: str) -> list[str]:
    """Return the `le` texts of a histogram in their order; every one of its series must have the same."""
    by_series = defaultdict(list)
    for series in page.series:
        if series.name == f"{histogram}_bucket":
            others = frozenset(pair for pair in series.labels.items() if pair[0] != "le")
            by_series[others].append(series.labels["le"])
    found = list(by_series.values())
    assert all(bounds == found[0] for bounds in found), histogram
    return found[0]


@pytest.mark.parametrize("service", METRICS)
def test_histograms_are_consistent(demo: Demo, service: str) -> None:
    time.sleep(1)
    page = demo.page(service)
    for name, kind in page.types.items():
        if kind != "histogram":
            continue
        assert page.sum(f"{name}_bucket", le="+Inf") == page.sum(f"{name}_count")
        buckets = defaultdict(list)
        for series in page.series:
            if series.name == f"{name}_bucket":
                others = frozenset(pair for pair in series.labels.items() if pair[0] != "le")
                buckets[others].append(series.value)
        assert all(counts == sorted(counts) for counts in buckets.values()), name


@pytest.mark.parametrize("service", METRICS)
def test_promtool_complains_only_of_what_the_real_products_do(demo: Demo, service: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH")
    result = subprocess.run(
        [promtool, "check", "metrics"], input=demo.page(service).text, capture_output=True, text=True, check=False
    )
    assert set((result.stdout + result.stderr).splitlines()) == REAL_COMPLAINTS[service]


def test_own_services_export_their_process(demo: Demo) -> None:
    for service in ("websocket", "app"):
        names = {series.name for series in demo.page(service).series}
        assert {"process_cpu_seconds_total", "process_start_time_seconds", "process_resident_memory_bytes"} <= names
        assert not {name for name in names if name.endswith("_created")}


def test_every_series_exists_from_the_start_with_value_zero() -> None:
    kong, realtime = Kong(Knobs(), Journal()), Realtime(Knobs(), REALTIME_SECRET)
    for page in (Page(_render(kong)), Page(_render(realtime))):
        counters = [series for series in page.series if _is_counter(page, series)]
        assert counters
        assert {series.value for series in counters} == {0}


def _render(service: Kong | Realtime) -> str:
    environ = {"HTTP_AUTHORIZATION": f"Bearer {token()}"}
    return b"".join(service.application(environ, lambda *_: lambda _: None)).decode()


def _is_counter(page: Page, series: Series) -> bool:
    family = re.sub("_(bucket|count|sum)$", "", series.name)
    return page.types.get(series.name) == "counter" or page.types.get(family) == "histogram"


def test_own_series_exist_from_the_start(tmp_path: Path) -> None:
    for demo in running(Demo(tmp_path, *NO_SERVERS)):
        websocket, application = demo.page("websocket"), demo.page("app")
    assert _values(websocket, "websocket_messages_total", "direction") == {"in", "out"}
    assert _values(websocket, "websocket_errors_total", "type") == {"connection", "timeout", "protocol", "send"}
    assert _values(application, "defillama_subscription_changes_total", "action") == {"subscribe", "unsubscribe"}
    assert _values(application, "defillama_cache_requests_total", "result") == {"hit", "miss"}
    channels = {"email", "telegram", "discord", "webhook"}
    assert _values(application, "defillama_notifications_sent_total", "channel") == channels
    kinds = {"price_update", "tvl_change", "yield_change", "volume_spike", "protocol_listed"}
    assert _values(application, "defillama_events_processed_total", "type") == kinds
    for name in ("defillama_queries_total", "defillama_query_duration_seconds_count"):
        assert application.sum(name) == 0


def _values(page: Page, name: str, label: str) -> set[str]:
    return {series.labels[label] for series in page.series if series.name == name}


def test_kong_serves_all_codes_of_each_route(demo: Demo) -> None:
    page = demo.page("kong")
    for service in ("rest-v1", "auth-v1", "graphql-v1", "storage-v1", "functions-v1", "realtime-v1-rest"):
        codes = {
            s.labels["code"]
            for s in page.series
            if s.name == "kong_http_requests_total" and s.labels["service"] == service
        }
        assert codes == {"200", "201", "204", "400", "401", "403", "404", "429", "500", "502", "503", "504"}
    assert page.sum("kong_http_requests_total", code="101", service="realtime-v1-ws", source="service") >= 0
    assert _values(page, "kong_nginx_connections_total", "state") == {
        "accepted",
        "handled",
        "total",
        "active",
        "reading",
        "writing",
        "waiting",
    }
    assert _values(page, "kong_upstream_target_health", "state") == {
        "healthchecks_off",
        "healthy",
        "unhealthy",
        "dns_error",
    }


@pytest.mark.parametrize("path", ["/", "/metric", "/metrics/tenant"])
@pytest.mark.parametrize("service", METRICS)
def test_only_metrics_are_served(demo: Demo, service: str, path: str) -> None:
    assert httpx.get(demo.url(service, path)).status_code == 404


# Realtime's token


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_realtime_takes_a_signed_token(demo: Demo, algorithm: str) -> None:
    headers = {"Authorization": f"Bearer {token(algorithm=algorithm, exp=int(time.time()) + 60)}"}
    answer = httpx.get(demo.url("realtime", "/metrics"), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert "realtime_channel_events" in answer.text


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer a-secret-for-the-metrics-of-realtime-only",
        f"Bearer {token('another secret that is long enough for it')}",
        f"Bearer {token(exp=1)}",
        f"Basic {token()}",
        f"Bearer {token()[:-4]}",
    ],
)
def test_realtime_refuses_everything_else_with_an_empty_403(demo: Demo, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = httpx.get(demo.url("realtime", "/metrics"), headers=headers)
    assert (answer.status_code, answer.content) == (403, b"")


# The control API


def test_state_describes_every_knob(demo: Demo) -> None:
    state = httpx.get(demo.url("control", "/state")).json()
    assert list(state) == [knob.name for knob in KNOBS]
    for entry in state.values():
        assert entry["value"] == entry["default"]
        assert entry["unit"]
        assert entry["description"]
    assert httpx.get(demo.url("control", "/healthz")).text == "ok\n"


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"no_such_knob": 1}, "no_such_knob: there is no such knob; GET /state lists them all"),
        ({"kong_error_ratio": 1.5}, "kong_error_ratio: 1.5 is not between 0 and 1 (ratio)"),
        ({"kong_error_ratio": "much"}, "kong_error_ratio: 'much' is not a number"),
        ({"kong_error_ratio": True}, "kong_error_ratio: True is not a number"),
        ({"kong_error_ratio": None}, "kong_error_ratio: None is not a number"),
        ({"kong_up": 0}, "kong_up: 0 is not true or false"),
        ({"websocket_connections": 1.5}, "websocket_connections: 1.5 is not a whole number"),
        (
            {"kong_metrics": ["latency", "cost"]},
            "kong_metrics: ['latency', 'cost'] is not a list of any of "
            "status_code, latency, bandwidth, upstream_health",
        ),
    ],
)
def test_a_wrong_knob_is_named_and_changes_nothing(demo: Demo, knobs: dict[str, object], message: str) -> None:
    before = httpx.get(demo.url("control", "/state")).json()
    answer = httpx.post(demo.url("control", "/state"), json={"event_rate": 99, **knobs})
    assert (answer.status_code, answer.json()) == (400, {"error": message})
    assert httpx.get(demo.url("control", "/state")).json() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"kong_up=false", b'{"kong_error_ratio": NaN}', b'{"event_rate": 1'])
def test_a_wrong_body_gets_400(demo: Demo, body: bytes) -> None:
    answer = httpx.post(demo.url("control", "/state"), content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


def test_reset_turns_everything_back(demo: Demo) -> None:
    demo.set(kong_request_rate=1, kong_metrics=[], application_up=False)
    assert not demo.answers("app")
    demo.reset()
    state = httpx.get(demo.url("control", "/state")).json()
    assert all(entry["value"] == entry["default"] for entry in state.values())
    assert demo.answers("app")


def test_control_has_no_other_paths(demo: Demo) -> None:
    assert httpx.get(demo.url("control", "/reset")).status_code == 404
    assert httpx.delete(demo.url("control", "/state")).status_code == 404


# What the knobs do


@pytest.mark.parametrize(
    ("service", "knob"),
    [
        ("kong", "kong_up"),
        ("realtime", "realtime_up"),
        ("websocket", "websocket_up"),
        ("app", "application_up"),
    ],
)
def test_a_service_that_is_down_refuses_connections_and_comes_back(demo: Demo, service: str, knob: str) -> None:
    demo.set(**{knob: False})
    with pytest.raises(httpx.ConnectError, match="refused"):
        httpx.get(demo.url(service, "/metrics"))
    demo.set(**{knob: True})
    assert demo.page(service).series


RATES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("kong_request_rate", "kong", "kong_http_requests_total", {}),
    ("kong_request_rate", "kong", "kong_request_latency_ms_count", {}),
    ("kong_request_rate", "kong", "kong_nginx_requests_total", {}),
    ("websocket_message_rate", "websocket", "websocket_messages_total", {}),
    ("realtime_event_rate", "realtime", "realtime_channel_events", {"tenant": "realtime-dev"}),
    ("realtime_event_rate", "realtime", "realtime_channel_global_events", {}),
    ("realtime_presence_rate", "realtime", "realtime_channel_presence_events", {}),
    ("realtime_db_event_rate", "realtime", "realtime_channel_db_events", {}),
    ("realtime_join_rate", "realtime", "realtime_channel_joins", {}),
    ("realtime_error_rate", "realtime", "realtime_channel_error", {}),
    ("subscribe_rate", "app", "defillama_subscription_changes_total", {"action": "subscribe"}),
    ("unsubscribe_rate", "app", "defillama_subscription_changes_total", {"action": "unsubscribe"}),
    ("event_rate", "app", "defillama_events_processed_total", {}),
)


@pytest.mark.parametrize("rate", [0, 400])
def test_rates_are_what_their_knobs_say(demo: Demo, rate: float) -> None:
    def read() -> list[float]:
        pages = {service: demo.page(service) for service in METRICS}
        return [pages[service].sum(metric, **labels) for _, service, metric, labels in RATES]

    demo.set(**{knob: rate for knob, *_ in RATES})
    time.sleep(0.5)
    before, began = read(), time.monotonic()
    time.sleep(3)
    after, seconds = read(), time.monotonic() - began
    for (knob, _, metric, _), early, late in zip(RATES, before, after, strict=True):
        assert (late - early) / seconds == pytest.approx(rate, rel=0.35), f"{knob}: {metric}"


def test_kong_error_ratio(demo: Demo) -> None:
    demo.set(kong_request_rate=300, kong_error_ratio=0.5, kong_client_error_ratio=0)
    time.sleep(0.5)
    before = demo.page("kong")
    time.sleep(2)
    after = demo.page("kong")

    def grown(code: str) -> float:
        return sum(
            late.value - early.value
            for early, late in zip(before.series, after.series, strict=True)
            if late.name == "kong_http_requests_total" and late.labels["code"].startswith(code)
        )

    assert grown("5") / (grown("5") + grown("2") + grown("1")) == pytest.approx(0.5, abs=0.1)
    assert grown("4") == 0


def test_kong_latency(demo: Demo) -> None:
    demo.set(kong_request_rate=200, kong_latency_ms=3000)
    time.sleep(0.5)
    fast = demo.rate("kong", "kong_request_latency_ms_bucket", 2.0, le="1000", service="rest-v1")
    total = demo.rate("kong", "kong_request_latency_ms_count", 2.0, service="rest-v1")
    assert total > 50
    assert fast < total * 0.1


def test_a_websocket_through_kong_lasts_minutes(demo: Demo) -> None:
    demo.set(kong_request_rate=3000)
    time.sleep(0.5)
    before = demo.page("kong")
    time.sleep(3)
    after = demo.page("kong")

    def mean(histogram: str) -> float:
        labels = {"service": "realtime-v1-ws"}
        grown = [
            after.sum(f"{histogram}_{of}", **labels) - before.sum(f"{histogram}_{of}", **labels)
            for of in ("sum", "count")
        ]
        return grown[0] / grown[1]

    assert mean("kong_request_latency_ms") > 60_000
    assert mean("kong_upstream_latency_ms") < 100


@pytest.mark.parametrize(
    ("group", "hidden"),
    [
        ("status_code", {"kong_http_requests_total"}),
        ("latency", {"kong_kong_latency_ms", "kong_upstream_latency_ms", "kong_request_latency_ms"}),
        ("bandwidth", {"kong_bandwidth_bytes"}),
        ("upstream_health", {"kong_upstream_target_health"}),
    ],
)
def test_a_metric_group_of_kong_can_be_off(demo: Demo, group: str, hidden: set[str]) -> None:
    groups = [name for name in ("status_code", "latency", "bandwidth", "upstream_health") if name != group]
    demo.set(kong_metrics=groups)
    assert set(METRICS["kong"]) - set(demo.page("kong").types) == hidden


def test_kong_without_the_plugin_serves_only_gauges(demo: Demo) -> None:
    demo.set(kong_metrics=[])
    page = demo.page("kong")
    assert set(page.types.values()) == {"gauge"}
    assert "kong_datastore_reachable" in page.types
    assert "kong_upstream_target_health" not in page.types


def test_kong_node_knobs(demo: Demo) -> None:
    demo.set(
        kong_unhealthy_targets=2,
        kong_datastore_reachable=False,
        kong_metric_errors_per_minute=6000,
        kong_shared_dict_usage=0.95,
    )
    time.sleep(0.6)
    page = demo.page("kong")
    assert page.sum("kong_upstream_target_health", state="unhealthy") == 2
    assert page.sum("kong_upstream_target_health", state="healthy") == 4
    assert page.sum("kong_datastore_reachable") == 0
    assert page.sum("kong_nginx_metric_errors_total") > 0
    used, size = page.sum("kong_memory_lua_shared_dict_bytes"), page.sum("kong_memory_lua_shared_dict_total_bytes")
    assert used / size == pytest.approx(0.95)


def test_gauges_go_where_their_knobs_say(demo: Demo) -> None:
    def read() -> list[float]:
        realtime = demo.page("realtime")
        names = ("realtime_connections_connected", "realtime_connections_global_connected")
        return [demo.page("websocket").sum("websocket_connections"), *(realtime.sum(name) for name in names)]

    demo.set(websocket_connections=20_000, realtime_channels=20_000)
    wait_for(lambda: min(read()) > 18_000, "connections to come")
    demo.set(websocket_connections=0, realtime_channels=0)
    wait_for(lambda: max(read()) < 1000, "connections to go")


def test_connections_are_gone_after_the_server_was_down(demo: Demo) -> None:
    demo.set(websocket_connections=20_000)
    wait_for(lambda: demo.page("websocket").sum("websocket_connections") > 18_000, "connections")
    demo.set(websocket_up=False)
    time.sleep(0.6)
    demo.set(websocket_up=True)
    assert demo.page("websocket").sum("websocket_connections") < 10_000


def test_websocket_errors_and_latency(demo: Demo) -> None:
    demo.set(websocket_message_rate=300, websocket_error_ratio=0.5, websocket_latency_seconds=2)
    time.sleep(0.5)
    assert demo.rate("websocket", "websocket_errors_total") == pytest.approx(150, rel=0.4)
    slow = demo.rate("websocket", "websocket_message_latency_seconds_sum")
    count = demo.rate("websocket", "websocket_message_latency_seconds_count")
    assert slow / count == pytest.approx(2.2, rel=0.4)


def test_fewer_subscriptions_left_are_fewer_cancelled(demo: Demo) -> None:
    demo.set(subscriptions=1000, subscribe_rate=0, unsubscribe_rate=1000)
    wait_for(lambda: demo.page("app").sum("defillama_subscriptions") < 100, "subscriptions to go")
    assert demo.page("app").sum("defillama_subscriptions") >= 0
    assert demo.rate("app", "defillama_subscription_changes_total", 1.0, action="unsubscribe") < 200


def test_alerts_and_notifications_follow_events(demo: Demo) -> None:
    demo.set(event_rate=200, alert_ratio=1, notifications_per_alert=2)
    time.sleep(0.5)
    assert demo.rate("app", "defillama_alerts_triggered_total") == pytest.approx(200, rel=0.35)
    assert demo.rate("app", "defillama_notifications_sent_total") == pytest.approx(400, rel=0.35)


# The logs


def test_logs_are_json_with_a_story_for_each_request(demo: Demo) -> None:
    demo.set(log_rate=50)
    time.sleep(2)
    lines = demo.logs()
    times = [line["time"] for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text) for text in times)
    assert times == sorted(times)
    stories = defaultdict(list)
    for line in lines:
        assert list(line)[:5] == ["time", "level", "event", "request_id", "msg"]
        assert line["level"] in ("info", "warn", "error")
        stories[line["request_id"]].append(line["event"])
    finished = [events for events in stories.values() if "request_completed" in events]
    assert len(finished) > 10
    assert all(events[0] == "request_received" and len(events) == 3 for events in finished)
    assert any("event_processed" in events for events in stories.values())


def test_failed_requests_are_logged_as_errors(demo: Demo) -> None:
    demo.set(kong_error_ratio=1, websocket_error_ratio=1, log_rate=20)
    seen = len(demo.logs())
    time.sleep(3)
    failed = [line for line in demo.logs()[seen:] if line["level"] == "error"]
    assert {line["event"] for line in failed} == {"request_completed", "message_failed"}
    assert all(500 <= line["status"] <= 504 for line in failed if line["event"] == "request_completed")


@pytest.mark.parametrize("rate", [0, 4, 40])
def test_log_rate(demo: Demo, rate: float) -> None:
    demo.set(log_rate=rate)
    time.sleep(1)
    seen = len(demo.logs())
    time.sleep(3)
    lines = (len(demo.logs()) - seen) / 3
    assert lines == pytest.approx(rate, rel=0.6)


def test_log_error_rate(demo: Demo) -> None:
    demo.set(log_rate=0, log_error_rate=20)
    seen = len(demo.logs())
    time.sleep(2)
    forced = [line for line in demo.logs()[seen:] if line["event"] == "forced_error"]
    assert len(forced) == pytest.approx(40, rel=0.4)
    assert {line["level"] for line in forced} == {"error"}


def test_turned_knobs_are_logged(demo: Demo) -> None:
    demo.set(kong_latency_ms=77)
    last = [line for line in demo.logs() if line["event"] == "knobs_changed"][-1]
    assert last["knobs"] == {"kong_latency_ms": 77}


# Start and end


def test_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    for demo in running(Demo(tmp_path, *NO_SERVERS)):
        code, seconds = demo.stop()
    assert code == 0
    assert seconds < 2
    assert demo.logs()[-1]["event"] == "stopping"


def test_sigterm_ends_it_while_its_servers_are_away(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("x")
    flags = [
        "--postgres-host=127.0.0.1",
        "--postgres-port=1",
        "--postgres-replica-host=127.0.0.1",
        "--postgres-replica-port=1",
        "--redis-host=127.0.0.1",
        "--redis-port=1",
        f"--postgres-password-file={secret}",
        f"--redis-password-file={secret}",
    ]

    def all_told(process: Demo) -> bool:
        return len(in_trouble(process)) == 3

    def in_trouble(process: Demo) -> list[str]:
        return sorted(line["backend"] for line in process.logs() if line["event"] == "backend_trouble")

    for demo in running(Demo(tmp_path, *flags)):
        eventually("each server's absence is told", partial(all_told, demo), 30)
        assert demo.page("app").series
        code, seconds = demo.stop()
    # Docker kills it after ten seconds.
    assert (code, seconds < 8) == (0, True)
    assert in_trouble(demo) == ["postgres", "postgres-replica", "redis"]


def test_healthcheck_command(demo: Demo) -> None:
    def check(port: int) -> int:
        command = [sys.executable, "-m", "demo.healthcheck", str(port)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode

    assert check(demo.ports["control"]) == 0
    assert check(1) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--kong-port", "0"], "--kong-port: '0' is not a port (1 to 65535)"),
        (["--kong-port", "http"], "--kong-port: 'http' is not a port (1 to 65535)"),
        (["--redis-host", "redis", "--redis-port", "70000"], "--redis-port: '70000' is not a port (1 to 65535)"),
        (["--kong-port", "4000"], "two services cannot share a port: --kong-port 4000 --realtime-port 4000"),
        (["--realtime-secret-file", "/nowhere"], "--realtime-secret-file: cannot read /nowhere: "),
        (["--realtime-secret-file", "/dev/null"], "--realtime-secret-file: /dev/null is empty"),
        (["--postgres-host", "db", "--postgres-password-file", "/nowhere"], "--postgres-password-file: cannot read"),
        (["--redis-host", "db", "--redis-password-file", "/dev/null"], "--redis-password-file: /dev/null is empty"),
        (["--kong"], "unrecognized arguments: --kong"),
        (["--bind", "192.0.2.1"], "cannot listen: kong on 192.0.2.1:8100: "),
    ],
)
def test_a_wrong_setting_is_one_message_and_exit_code_2(tmp_path: Path, flags: list[str], message: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    command = [sys.executable, "-m", "demo", "--realtime-secret-file", str(secret), *NO_SERVERS, *flags]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=10)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.replace(",", "").startswith(f"demo: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_a_port_in_use_is_named(demo: Demo, tmp_path: Path) -> None:
    port = demo.ports["kong"]
    (tmp_path / "secret").write_text("secret")
    command = [sys.executable, "-m", "demo", "--bind", "127.0.0.1", "--realtime-secret-file", str(tmp_path / "secret")]
    command += [*NO_SERVERS, "--kong-port", str(port)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=10)
    assert result.returncode == 2
    assert result.stderr == f"demo: cannot listen: kong on 127.0.0.1:{port}: Address already in use\n"


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo"]
    environment = {"DEMO_KONG_PORT": "none", "PATH": "/usr/bin"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=10)
    assert result.stderr == "demo: --kong-port: 'none' is not a port (1 to 65535)\n"


def test_it_runs_with_the_libraries_of_debian(tmp_path: Path) -> None:
    python = "/usr/bin/python3"
    libraries = "import sys, prometheus_client, psycopg, redis, jwt; assert sys.version_info >= (3, 11)"
    if subprocess.run([python, "-c", libraries], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{python} lacks one of prometheus_client, psycopg 3, redis, PyJWT (python3-… packages)")
    for demo in running(Demo(tmp_path, *NO_SERVERS, python=python)):
        for service, table in METRICS.items():
            names = {name for name in demo.page(service).types if not name.startswith("process_")}
            assert names == set(table), service
        assert demo.stop()[0] == 0


# The parts


def test_every_alert_of_the_specification_can_be_provoked() -> None:
    provoked = {alert for knob in KNOBS for alert in knob.provokes}
    assert provoked >= SPECIFIED_ALERTS


def test_readme_lists_the_knobs_as_they_are() -> None:
    readme = (ROOT / "demo/README.md").read_text()
    found = readme.partition("<!-- knobs -->\n")[2].partition("<!-- /knobs -->")[0]
    assert found == _knob_table()


def _knob_table() -> str:
    rows = ["| knob | default | range | what it is | provokes |", "|---|---|---|---|---|"]
    for knob in KNOBS:
        if knob.choices or isinstance(knob.default, bool):
            limits = "any of them" if knob.choices else "true, false"
            default = "all" if knob.choices else json.dumps(knob.default)
        else:
            limits, default = f"{knob.low:g} to {knob.high:.7g} {knob.unit}", f"{knob.default:g}"
        rows.append(f"| `{knob.name}` | {default} | {limits} | {knob.description} | {', '.join(knob.provokes)} |")
    return "\n".join(rows) + "\n"


def test_a_list_knob_keeps_the_order_of_its_choices() -> None:
    knob = Knob("k", ("a", "b"), "list", "", choices=("a", "b", "c"))
    assert knob.check(["c", "a", "a"]) == ("a", "c")
    with pytest.raises(KnobError, match="^k: "):
        knob.check("a")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10, "10.0"),
        (100, "100.0"),
        (250, "250.0"),
        (500, "500.0"),
        (1000, "1.0e3"),
        (15000, "1.5e4"),
        (10000, "1.0e4"),
        (3_000_000, "3.0e6"),
    ],
)
def test_bounds_are_written_as_elixir_does(value: float, text: str) -> None:
    assert elixir_float(value) == text


def test_counts_have_the_right_mean() -> None:
    assert sum(draw_count(0.3, 1) for _ in range(20_000)) == pytest.approx(6000, rel=0.05)
    assert draw_count(0, 100) == 0
