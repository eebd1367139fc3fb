"""API Gateway: Kong, as its clients see it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import line, row
from dashboards.links import to_logs, to_page
from dashboards.objectives import error_budget
from dashboards.page import Choice, page
from dashboards.panels import BAD, CALM, GOOD, WARN, Column, above, gauge, grid, percentiles, series, timeline, value

_LOGS = '{service=~"demo|.*kong.*"} | event=~"|request_.*|upstream_.*"'
_GATEWAY = 'instance=~"$gateway"'
_BANDWIDTH = "instance_direction:kong_bandwidth_bytes:rate5m"
# Clients of a WebSocket stay for hours, which is no latency.
_PLAIN = 'route!~"(.*[-_.])?(websocket|ws)([-_.].*)?"'


def api_gateway(settings: Settings) -> Dashboard:
    """The page `api-gateway`."""
    at = settings.thresholds
    return page(
        settings,
        uid="api-gateway",
        title="API Gateway",
        description="Do requests get answers, right ones and fast ones, and whose fault is it when not?",
        components="api_gateway",
        logs=_LOGS,
        choices=[Choice("gateway", "Gateway", 'up{job="kong"}')],
        rows=[
            row(
                "Requests",
                line(
                    8,
                    gauge(
                        "Error rate",
                        "Share of requests answered with 5xx.",
                        f"instance:kong_http_errors_per_request:ratio_rate5m{{{_GATEWAY}}}",
                        unit="percentunit",
                        limit=above(at["kong_error:ratio"]),
                        maximum=4 * at["kong_error:ratio"],
                        legend="{{instance}}",
                    ),
                    gauge(
                        "Client error rate",
                        "Share of requests answered with 4xx. A jump: a client, or a route, has changed.",
                        f"instance:kong_http_client_errors_per_request:ratio_rate5m{{{_GATEWAY}}}",
                        unit="percentunit",
                        limit=above(at["kong_client_error:ratio"]),
                        maximum=1,
                        legend="{{instance}}",
                    ),
                    series(
                        "Request rate",
                        "Requests per second, by the class of the answer.",
                        {
                            "{{class}}": f"sum by (class) (instance_class:kong_http_requests:rate5m{{{_GATEWAY}}})",
                        },
                        unit="reqps",
                        stack=True,
                        colors={"1xx": CALM, "2xx": GOOD, "3xx": "purple", "4xx": WARN, "5xx": BAD},
                    ),
                    widths=(6, 6, 12),
                ),
                line(
                    9,
                    percentiles(
                        "Latency",
                        "Time from a request's first byte to the answer's last, without WebSockets; the alert looks at "
                        "the 95th percentile of each gateway.",
                        f"max(instance:kong_request_latency_seconds:p50_rate5m{{{_GATEWAY}}})",
                        f"max(instance:kong_request_latency_seconds:p95_rate5m{{{_GATEWAY}}})",
                        f"max(instance:kong_request_latency_seconds:p99_rate5m{{{_GATEWAY}}})",
                        limit=above(at["kong_latency:seconds"]),
                    ),
                    series(
                        "Bandwidth",
                        "Bytes per second that clients send and receive.",
                        {
                            "in": f"sum({_BANDWIDTH}{{direction='ingress',{_GATEWAY}}})",
                            "out": f"sum({_BANDWIDTH}{{direction='egress',{_GATEWAY}}})",
                        },
                        unit="Bps",
                    ),
                    error_budget("requests", "job:kong_http_errors_per_request:ratio_rate", "api_objective:ratio"),
                ),
            ),
            row(
                "Causes",
                line(
                    8,
                    series(
                        "Errors by source",
                        "Answers with 5xx per second: by the service behind the gateway, or by the gateway itself.",
                        {"{{source}}": f"sum by (source) (instance_source:kong_http_errors:rate5m{{{_GATEWAY}}})"},
                        unit="reqps",
                        colors={"service": WARN, "kong": BAD},
                        stack=True,
                    ),
                    series(
                        "Where time goes",
                        "95th percentiles: of the services behind the gateway, and of what the gateway adds.",
                        {
                            "services": f"max(instance:kong_upstream_latency_seconds:p95_rate5m{{{_GATEWAY}}})",
                            "gateway": f"max(instance:kong_kong_latency_seconds:p95_rate5m{{{_GATEWAY}}})",
                        },
                        unit="s",
                        links=[to_page("database", "Database"), to_page("websocket", "WebSocket")],
                    ),
                    series(
                        "Requests by gateway",
                        "Requests per second that each gateway answers.",
                        {"{{instance}}": f"instance:kong_http_requests:rate5m{{{_GATEWAY}}}"},
                        unit="reqps",
                        limit=above(at["kong_requests:rate"]),
                    ),
                ),
                line(
                    9,
                    grid(
                        "Routes",
                        "Each route: requests, share of them answered with 5xx, and 95th percentile of latency.",
                        {"route": "Route"},
                        {
                            "Requests": Column(
                                f"sum by (route) (instance_route:kong_http_requests:rate5m{{{_GATEWAY}}})", "reqps"
                            ),
                            "Errors": Column(
                                "sum by (route) (rate(kong_http_requests_total"
                                f'{{code=~"5..",{_GATEWAY}}}[$__rate_interval])) / '
                                f"sum by (route) (rate(kong_http_requests_total{{{_GATEWAY}}}[$__rate_interval]))",
                                "percentunit",
                                above(at["kong_error:ratio"]),
                            ),
                            "P95": Column(
                                "histogram_quantile(0.95, sum by (route, le) (rate(kong_request_latency_ms_bucket"
                                f"{{{_PLAIN},{_GATEWAY}}}[$__rate_interval]))) / 1000",
                                "s",
                                above(at["kong_latency:seconds"]),
                            ),
                        },
                        sort="Requests",
                        descending=True,
                        links={"Route": [to_logs(f"{_LOGS} |= `${{__data.fields.Route}}`", "Its logs")]},
                    ),
                    timeline(
                        "Gateways and what is behind them",
                        "Whether each gateway answers, and whether it finds each service behind it healthy.",
                        {
                            "{{instance}}": f'up{{job="kong",{_GATEWAY}}}',
                            "{{upstream}} {{target}}": "max by (upstream, target) (kong_upstream_target_health"
                            f'{{state=~"healthy|healthchecks_off",{_GATEWAY}}})',
                        },
                        {1: ("up", GOOD), 0: ("down", BAD)},
                    ),
                ),
                line(
                    7,
                    series(
                        "Connections",
                        "Clients' connections that are open on each gateway.",
                        {"{{instance}}": f"instance:kong_connections_active:sum{{{_GATEWAY}}}"},
                        unit="short",
                    ),
                    series(
                        "Shared memory",
                        "Share of each shared dictionary in use. A full one loses metrics, or forgets rate limits.",
                        {"{{shared_dict}}": f"instance_shared_dict:kong_memory_lua_shared_dict:ratio{{{_GATEWAY}}}"},
                        unit="percentunit",
                        limit=above(at["kong_shared_dict_usage:ratio"]),
                        many=True,
                    ),
                    value(
                        "Within 250 ms",
                        "Share of requests that were answered within 250 ms.",
                        {"": "job:kong_requests_within_250ms:ratio_rate5m"},
                        unit="percentunit",
                    ),
                ),
            ),
        ],
    )
