"""WebSocket: the WebSocket server, and Supabase Realtime beside it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import line, row
from dashboards.links import to_page
from dashboards.objectives import error_budget
from dashboards.page import Choice, page
from dashboards.panels import BAD, GOOD, above, gauge, percentiles, series, timeline

_SERVER = 'instance=~"$server"'


def websocket(settings: Settings) -> Dashboard:
    """The page `websocket`."""
    at = settings.thresholds
    connections = at["websocket_connections:count"]
    return page(
        settings,
        uid="websocket",
        title="WebSocket",
        description="Are clients connected, do their messages arrive, and fast enough?",
        components="websocket|realtime",
        logs='{service=~"demo|.*(websocket|realtime).*"} | event=~"|message_.*|connection_.*|channel_.*"',
        choices=[Choice("server", "WebSocket server", 'up{job="websocket"}')],
        rows=[
            row(
                "WebSocket server",
                line(
                    8,
                    gauge(
                        "Active connections",
                        "Connections that are open on each server.",
                        f"websocket_connections{{{_SERVER}}}",
                        unit="short",
                        limit=above(connections),
                        maximum=connections * 1.25,
                        legend="{{instance}}",
                    ),
                    gauge(
                        "Error rate",
                        "Errors for each message.",
                        f"instance:websocket_errors_per_message:ratio_rate5m{{{_SERVER}}}",
                        unit="percentunit",
                        limit=above(at["websocket_error:ratio"]),
                        maximum=4 * at["websocket_error:ratio"],
                        legend="{{instance}}",
                    ),
                    series(
                        "Message rate",
                        "Messages per second, to and from clients.",
                        {
                            "{{direction}}": "sum by (direction)"
                            f" (instance_direction:websocket_messages:rate5m{{{_SERVER}}})"
                        },
                        unit="mps",
                    ),
                    widths=(6, 6, 12),
                ),
                line(
                    9,
                    percentiles(
                        "Latency",
                        "Time that a message takes; the alert looks at the 95th percentile of each server.",
                        f"max(instance:websocket_message_latency_seconds:p50_rate5m{{{_SERVER}}})",
                        f"max(instance:websocket_message_latency_seconds:p95_rate5m{{{_SERVER}}})",
                        f"max(instance:websocket_message_latency_seconds:p99_rate5m{{{_SERVER}}})",
                        limit=above(at["websocket_latency:seconds"]),
                    ),
                    series(
                        "Error rate over time",
                        "Errors for each message, on each server.",
                        {"{{instance}}": f"instance:websocket_errors_per_message:ratio_rate5m{{{_SERVER}}}"},
                        unit="percentunit",
                        limit=above(at["websocket_error:ratio"]),
                    ),
                    error_budget(
                        "messages", "job:websocket_errors_per_message:ratio_rate", "websocket_objective:ratio"
                    ),
                ),
            ),
            row(
                "Causes",
                line(
                    8,
                    series(
                        "Errors by type",
                        "Errors per second, by type.",
                        {"{{type}}": f"sum by (type) (instance_type:websocket_errors:rate5m{{{_SERVER}}})"},
                        unit="ops",
                        stack=True,
                    ),
                    series(
                        "Connections over time",
                        "Open connections on each server. A sudden drop: a restart, or the network.",
                        {"{{instance}}": f"websocket_connections{{{_SERVER}}}"},
                        unit="short",
                        limit=above(connections),
                    ),
                    timeline(
                        "Servers",
                        "Whether the WebSocket servers and Realtime answer.",
                        {"{{instance}}": 'up{job=~"websocket|realtime"}'},
                        {1: ("up", GOOD), 0: ("down", BAD)},
                        links=[to_page("api-gateway", "API Gateway"), to_page("system-overview", "System Overview")],
                    ),
                ),
            ),
            row(
                "Realtime",
                line(
                    8,
                    series(
                        "Realtime connections",
                        "Clients connected to Realtime, on each of its servers.",
                        {"{{instance}}": "instance:realtime_connections:sum"},
                        unit="short",
                        limit=above(at["realtime_channels:count"]),
                    ),
                    series(
                        "Realtime events",
                        "Channel events per second: broadcasts, presence, and changes in the database.",
                        {
                            "broadcasts": "sum(instance:realtime_broadcasts:rate5m)",
                            "presence": "sum(instance:realtime_presence_events:rate5m)",
                            "database changes": "sum(instance:realtime_db_events:rate5m)",
                        },
                        unit="cps",
                        limit=above(at["realtime_events:rate"]),
                        stack=True,
                    ),
                    series(
                        "Realtime errors",
                        "Channel errors per second, on each server.",
                        {"{{instance}}": "instance:realtime_channel_errors:rate5m"},
                        unit="cps",
                        limit=above(at["realtime_errors:rate"]),
                    ),
                ),
                line(
                    8,
                    series(
                        "Channels joined",
                        "Channels joined per second. A wave of joins follows a restart: all clients come back at once.",
                        {"{{instance}}": "instance:realtime_channel_joins:rate5m"},
                        unit="cps",
                    ),
                    series(
                        "Realtime traffic",
                        "Bytes per second that Realtime receives and sends.",
                        {
                            "received": "sum(instance:realtime_input_bytes:rate5m)",
                            "sent": "sum(instance:realtime_output_bytes:rate5m)",
                        },
                        unit="Bps",
                    ),
                    series(
                        "Replication query duration",
                        "95th percentile of the time in which Realtime reads changes from PostgreSQL.",
                        {
                            "P95 {{instance}}": "histogram_quantile(0.95, sum by (instance, le)"
                            " (rate(realtime_replication_poller_query_duration_bucket[$__rate_interval]))) / 1000"
                        },
                        unit="s",
                        links=[to_page("database", "Database")],
                    ),
                ),
            ),
        ],
    )
