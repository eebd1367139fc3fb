"""API Gateway: Kong, as its clients see it."""

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from config.settings import Settings
from dashboards.layout import Row, line, row
from dashboards.links import to_logs, to_page
from dashboards.objectives import error_budget
from dashboards.page import About, Choice, page
from dashboards.panels.colors import BAD, CALM, GOOD, WARN
from dashboards.panels.grid import Column, grid
from dashboards.panels.limits import Limits
from dashboards.panels.numbers import figures
from dashboards.panels.series import series
from dashboards.panels.words import each, error_share_of_each, is_it_up, latency, share_of_each, split, sums

_LOGS = '{service=~"demo|.*nginx|.*kong.*"} | event=~"|request_.*|upstream_.*"'
_ONE = 'instance=~"$gateway"'
_GATEWAY = f"{{{_ONE}}}"
# Clients of a WebSocket stay for hours, which is no latency.
_PLAIN = 'route!~"(.*[-_.])?(websocket|ws)([-_.].*)?"'

_REQUESTS = f"sum by (route) (rate(kong_http_requests_total{_GATEWAY}[$__rate_interval]))"
_ERRORS = f'sum by (route) (rate(kong_http_requests_total{{code=~"5..",{_ONE}}}[$__rate_interval]))'
_BUCKETS = f"sum by (route, le) (rate(kong_request_latency_ms_bucket{{{_PLAIN},{_ONE}}}[$__rate_interval]))"

_ABOUT = About(
    "api-gateway",
    "API Gateway",
    "Do requests get answers, right ones and fast ones, and whose fault is it when not?",
    components="api_gateway",
    logs=_LOGS,
    choices=(Choice("gateway", "Gateway", 'up{job="kong"}'),),
)


def api_gateway(settings: Settings, at: Limits) -> Dashboard:
    """The page `api-gateway`."""
    return page(settings, _ABOUT, [_requests(at), _causes(at)])


def _requests(at: Limits) -> Row:
    return row(
        "Requests",
        line(
            8,
            error_share_of_each(
                "Error rate",
                "Share of requests answered with 5xx.",
                f"instance:kong_http_errors_per_request:ratio_rate5m{_GATEWAY}",
                at.above("kong_error:ratio"),
            ),
            share_of_each(
                "Client error rate",
                "Share of requests answered with 4xx. A jump: a client, or a route, has changed.",
                f"instance:kong_http_client_errors_per_request:ratio_rate5m{_GATEWAY}",
                at.above("kong_client_error:ratio"),
            ),
            split(
                "Request rate",
                "Requests per second, by the class of the answer.",
                "reqps",
                "class",
                f"instance_class:kong_http_requests:rate5m{_GATEWAY}",
                colors={"1xx": CALM, "2xx": GOOD, "3xx": "purple", "4xx": WARN, "5xx": BAD},
                many=True,
            ),
            widths=(6, 6, 12),
        ),
        line(
            11,
            latency(
                "Latency",
                "Time from a request's first byte to the answer's last, without WebSockets; the alert looks at "
                "the 95th percentile of each gateway.",
                "instance:kong_request_latency_seconds",
                at.above("kong_latency:seconds"),
                of=_GATEWAY,
            ),
            sums(
                "Bandwidth",
                "Bytes per second that clients send and receive.",
                "Bps",
                {
                    "in": f"instance_direction:kong_bandwidth_bytes:rate5m{{direction='ingress',{_ONE}}}",
                    "out": f"instance_direction:kong_bandwidth_bytes:rate5m{{direction='egress',{_ONE}}}",
                },
            ),
            error_budget("requests", "job:kong_http_errors_per_request:ratio_rate", "api_objective:ratio"),
        ),
    )


def _causes(at: Limits) -> Row:
    return row(
        "Causes",
        line(
            8,
            split(
                "Errors by source",
                "Answers with 5xx per second: by the service behind the gateway, or by the gateway itself.",
                "reqps",
                "source",
                f"instance_source:kong_http_errors:rate5m{_GATEWAY}",
                colors={"service": WARN, "kong": BAD},
            ),
            series(
                "Where time goes",
                "95th percentiles: of the services behind the gateway, and of what the gateway adds.",
                "s",
                {
                    "services": f"max(instance:kong_upstream_latency_seconds:p95_rate5m{_GATEWAY})",
                    "gateway": f"max(instance:kong_kong_latency_seconds:p95_rate5m{_GATEWAY})",
                },
                links=[to_page("database", "Database"), to_page("websocket", "WebSocket")],
            ),
            each(
                "Requests by gateway",
                "Requests per second that each gateway answers.",
                "reqps",
                "instance",
                f"instance:kong_http_requests:rate5m{_GATEWAY}",
                at.above("kong_requests:rate"),
            ),
        ),
        line(
            9,
            _routes(at),
            is_it_up(
                "Gateways and what is behind them",
                "Whether each gateway answers, and whether it finds each service behind it healthy.",
                {
                    "{{instance}}": f'up{{job="kong",{_ONE}}}',
                    "{{upstream}} {{target}}": "max by (upstream, target) (kong_upstream_target_health"
                    f'{{state=~"healthy|healthchecks_off",{_ONE}}})',
                },
            ),
        ),
        line(
            8,
            each(
                "Connections",
                "Clients' connections that are open on each gateway.",
                "short",
                "instance",
                f"instance:kong_connections_active:sum{_GATEWAY}",
            ),
            each(
                "Shared memory",
                "Share of each shared dictionary in use. A full one loses metrics, or forgets rate limits.",
                "percentunit",
                "shared_dict",
                f"instance_shared_dict:kong_memory_lua_shared_dict:ratio{_GATEWAY}",
                at.above("kong_shared_dict_usage:ratio"),
                many=True,
            ),
            figures(
                "Within 250 ms",
                "Share of requests that were answered within 250 ms.",
                "percentunit",
                {"": "job:kong_requests_within_250ms:ratio_rate5m"},
            ),
            widths=(7, 12, 5),
        ),
    )


def _routes(at: Limits) -> Panel:
    answered = f"sum by (route) (instance_route:kong_http_requests:rate5m{_GATEWAY})"
    slow = f"histogram_quantile(0.95, {_BUCKETS}) / 1000"
    return grid(
        "Routes",
        "Each route: requests, share of them answered with 5xx, and 95th percentile of latency.",
        {"route": "Route"},
        {
            "Requests": Column(answered, "reqps"),
            "Errors": Column(f"{_ERRORS} / {_REQUESTS}", "percentunit", at.above("kong_error:ratio")),
            "P95": Column(slow, "s", at.above("kong_latency:seconds")),
        },
        sort="Requests",
        descending=True,
        links={"Route": [to_logs(f"{_LOGS} |= `${{__data.fields.Route}}`", "Its logs")]},
    )
