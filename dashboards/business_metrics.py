"""Business Metrics: what the application does for its users."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import Row, line, row
from dashboards.links import to_page
from dashboards.page import About, page
from dashboards.panels.colors import BAD, GOOD
from dashboards.panels.limits import Limits
from dashboards.panels.numbers import dial
from dashboards.panels.series import series
from dashboards.panels.words import latency, share, split, sums

_LOGS = '{service=~"demo|.*app.*"} | event!~"request_.*|upstream_.*|message_.*"'
_DATABASE = to_page("database", "Database")

_ABOUT = About(
    "business-metrics",
    "Business Metrics",
    "Do users come and stay, do they get their alerts, and do their queries get answers?",
    components="business",
    logs=_LOGS,
)


def business_metrics(settings: Settings, at: Limits) -> Dashboard:
    """The page `business-metrics`."""
    return page(settings, _ABOUT, [_what_users_get(at), _causes(at)])


def _what_users_get(at: Limits) -> Row:
    return row(
        "What users get",
        line(
            8,
            dial(
                "Active subscriptions",
                "Subscriptions that are active now. The dial ends at the most of the time shown.",
                "short",
                {"": "sum(job:defillama_subscriptions:sum)"},
            ),
            share(
                "Cache hit ratio",
                "Share of requests to the cache that hit. A drop: queries go to the database.",
                "job:defillama_cache_hits:ratio_rate5m",
                at.below("business_cache_hit:ratio"),
                links=[_DATABASE],
            ),
            split(
                "Subscription rate",
                "Subscriptions made and ended per second; the alert fires when too few are made.",
                "ops",
                "action",
                "job_action:defillama_subscription_changes:rate5m",
                at.below("business_subscriptions:rate"),
                stack=False,
                colors={"subscribe": GOOD, "unsubscribe": BAD},
            ),
            widths=(6, 6, 12),
        ),
        line(
            9,
            sums(
                "Event processing rate",
                "Events processed, alerts that they triggered, and notifications sent for these, per second.",
                "cps",
                {
                    "events": "job:defillama_events_processed:rate5m",
                    "alerts": "job:defillama_alerts_triggered:rate5m",
                    "notifications": "job:defillama_notifications_sent:rate5m",
                },
            ),
            sums("Query rate", "Queries per second.", "ops", {"queries": "job:defillama_queries:rate5m"}),
            latency(
                "Query duration",
                "Time that a query takes; the alert looks at the 95th percentile.",
                "job:defillama_query_duration_seconds",
                at.above("business_query_latency:seconds"),
                links=[_DATABASE, to_page("api-gateway", "API Gateway")],
            ),
        ),
    )


def _causes(at: Limits) -> Row:
    return row(
        "Causes",
        line(
            8,
            series(
                "Subscriptions over time",
                "Active subscriptions, and their number below which the alert for a sudden loss fires.",
                "short",
                {
                    "active": "sum(job:defillama_subscriptions:sum)",
                    "alert below": "(1 - scalar(threshold:business_subscriptions_drop:ratio))"
                    " * sum(max_over_time(job:defillama_subscriptions:sum[30m]))",
                },
                colors={"alert below": BAD},
            ),
            series(
                "Unsubscribed",
                "Share of the changes within 15 minutes that ended a subscription.",
                "percentunit",
                {"unsubscribed": "job:defillama_unsubscribes_per_change:ratio_rate15m"},
                at.above("business_unsubscribe:ratio"),
                maximum=1,
            ),
            series(
                "Cache hit ratio over time",
                "Share of requests to the cache that hit.",
                "percentunit",
                {"hits": "job:defillama_cache_hits:ratio_rate5m"},
                at.below("business_cache_hit:ratio"),
                maximum=1,
            ),
        ),
        line(
            13,
            split(
                "Events by type",
                "Events processed per second, by type.",
                "cps",
                "type",
                "job_type:defillama_events_processed:rate5m",
            ),
            split(
                "Notifications by channel",
                "Notifications sent per second, by channel. One that stops alone: its provider.",
                "cps",
                "channel",
                "job_channel:defillama_notifications_sent:rate5m",
            ),
            series(
                "Mean query duration",
                "Mean time that a query takes.",
                "s",
                {"mean": "job:defillama_query_duration_seconds:mean5m"},
            ),
        ),
    )
