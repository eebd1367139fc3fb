"""WebSocket: the WebSocket server, and Supabase Realtime beside it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import Row, line, row
from dashboards.links import to_page
from dashboards.objectives import error_budget
from dashboards.page import About, Choice, page
from dashboards.panels.limits import Limits
from dashboards.panels.numbers import dial
from dashboards.panels.series import series
from dashboards.panels.words import each, error_share_of_each, is_it_up, latency, split, sums, traffic

_LOGS = '{service=~"demo|.*(websocket|realtime).*"} | event=~"|message_.*|connection_.*|channel_.*"'
_SERVER = '{instance=~"$server"}'

_ABOUT = About(
    "websocket",
    "WebSocket",
    "Are clients connected, do their messages arrive, and fast enough?",
    components="websocket|realtime",
    logs=_LOGS,
    choices=(Choice("server", "WebSocket server", 'up{job="websocket"}'),),
)


def websocket(settings: Settings, at: Limits) -> Dashboard:
    """The page `websocket`."""
    return page(settings, _ABOUT, [_server(at), _causes(at), _realtime(at)])


def _server(at: Limits) -> Row:
    connections = at.above("websocket_connections:count")
    return row(
        "WebSocket server",
        line(
            8,
            dial(
                "Active connections",
                "Connections that are open on each server.",
                "short",
                {"{{instance}}": f"websocket_connections{_SERVER}"},
                connections,
                maximum=connections.value * 1.25,
            ),
            error_share_of_each(
                "Error rate",
                "Errors for each message.",
                f"instance:websocket_errors_per_message:ratio_rate5m{_SERVER}",
                at.above("websocket_error:ratio"),
            ),
            split(
                "Message rate",
                "Messages per second, to and from clients.",
                "mps",
                "direction",
                f"instance_direction:websocket_messages:rate5m{_SERVER}",
                stack=False,
            ),
            widths=(6, 6, 12),
        ),
        line(
            11,
            latency(
                "Latency",
                "Time that a message takes; the alert looks at the 95th percentile of each server.",
                "instance:websocket_message_latency_seconds",
                at.above("websocket_latency:seconds"),
                of=_SERVER,
            ),
            each(
                "Error rate over time",
                "Errors for each message, on each server.",
                "percentunit",
                "instance",
                f"instance:websocket_errors_per_message:ratio_rate5m{_SERVER}",
                at.above("websocket_error:ratio"),
            ),
            error_budget("messages", "job:websocket_errors_per_message:ratio_rate", "websocket_objective:ratio"),
        ),
    )


def _causes(at: Limits) -> Row:
    return row(
        "Causes",
        line(
            11,
            split(
                "Errors by type",
                "Errors per second, by type.",
                "ops",
                "type",
                f"instance_type:websocket_errors:rate5m{_SERVER}",
            ),
            each(
                "Connections over time",
                "Open connections on each server. A sudden drop: a restart, or the network.",
                "short",
                "instance",
                f"websocket_connections{_SERVER}",
                at.above("websocket_connections:count"),
            ),
            is_it_up(
                "Servers",
                "Whether the WebSocket servers and Realtime answer.",
                {"{{instance}}": 'up{job=~"websocket|realtime"}'},
                links=[to_page("api-gateway", "API Gateway"), to_page("system-overview", "System Overview")],
            ),
        ),
    )


def _realtime(at: Limits) -> Row:
    return row(
        "Realtime",
        line(
            9,
            each(
                "Realtime connections",
                "Clients connected to Realtime, on each of its servers.",
                "short",
                "instance",
                "instance:realtime_connections:sum",
                at.above("realtime_channels:count"),
            ),
            sums(
                "Realtime events",
                "Channel events per second: broadcasts, presence, and changes in the database.",
                "cps",
                {
                    "broadcasts": "instance:realtime_broadcasts:rate5m",
                    "presence": "instance:realtime_presence_events:rate5m",
                    "database changes": "instance:realtime_db_events:rate5m",
                },
                at.above("realtime_events:rate"),
                stack=True,
            ),
            each(
                "Realtime errors",
                "Channel errors per second, on each server.",
                "cps",
                "instance",
                "instance:realtime_channel_errors:rate5m",
                at.above("realtime_errors:rate"),
            ),
        ),
        line(
            8,
            each(
                "Channels joined",
                "Channels joined per second. A wave of joins follows a restart: all clients come back at once.",
                "cps",
                "instance",
                "instance:realtime_channel_joins:rate5m",
            ),
            traffic(
                "Realtime traffic",
                "Bytes per second that Realtime receives and sends.",
                "instance:realtime_input_bytes:rate5m",
                "instance:realtime_output_bytes:rate5m",
            ),
            series(
                "Replication query duration",
                "95th percentile of the time in which Realtime reads changes from PostgreSQL.",
                "s",
                {
                    "P95 {{instance}}": "histogram_quantile(0.95, sum by (instance, le)"
                    " (rate(realtime_replication_poller_query_duration_bucket[$__rate_interval]))) / 1000"
                },
                links=[to_page("database", "Database")],
            ),
        ),
    )
