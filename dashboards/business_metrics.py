"""Business Metrics: what the application does for its users."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import line, row
from dashboards.links import to_page
from dashboards.page import page
from dashboards.panels import BAD, GOOD, above, below, gauge, percentiles, series


def business_metrics(settings: Settings) -> Dashboard:
    """The page `business-metrics`."""
    at = settings.thresholds
    return page(
        settings,
        uid="business-metrics",
        title="Business Metrics",
        description="Do users come and stay, do they get their alerts, and do their queries get answers?",
        components="business",
        logs='{service=~"demo|.*app.*"} | event!~"request_.*|upstream_.*|message_.*"',
        rows=[
            row(
                "What users get",
                line(
                    8,
                    gauge(
                        "Active subscriptions",
                        "Subscriptions that are active now. The dial ends at the most of the time shown.",
                        "sum(job:defillama_subscriptions:sum)",
                        unit="short",
                    ),
                    gauge(
                        "Cache hit ratio",
                        "Share of requests to the cache that hit. A drop: queries go to the database.",
                        "job:defillama_cache_hits:ratio_rate5m",
                        unit="percentunit",
                        limit=below(at["business_cache_hit:ratio"]),
                        maximum=1,
                        links=[to_page("database", "Database")],
                    ),
                    series(
                        "Subscription rate",
                        "Subscriptions made and ended per second; the alert fires when too few are made.",
                        {"{{action}}": "sum by (action) (job_action:defillama_subscription_changes:rate5m)"},
                        unit="ops",
                        limit=below(at["business_subscriptions:rate"]),
                        colors={"subscribe": GOOD, "unsubscribe": BAD},
                    ),
                    widths=(6, 6, 12),
                ),
                line(
                    9,
                    series(
                        "Event processing rate",
                        "Events processed, alerts that they triggered, and notifications sent for these, per second.",
                        {
                            "events": "sum(job:defillama_events_processed:rate5m)",
                            "alerts": "sum(job:defillama_alerts_triggered:rate5m)",
                            "notifications": "sum(job:defillama_notifications_sent:rate5m)",
                        },
                        unit="cps",
                    ),
                    series(
                        "Query rate",
                        "Queries per second.",
                        {"queries": "sum(job:defillama_queries:rate5m)"},
                        unit="ops",
                    ),
                    percentiles(
                        "Query duration",
                        "Time that a query takes; the alert looks at the 95th percentile.",
                        "max(job:defillama_query_duration_seconds:p50_rate5m)",
                        "max(job:defillama_query_duration_seconds:p95_rate5m)",
                        "max(job:defillama_query_duration_seconds:p99_rate5m)",
                        limit=above(at["business_query_latency:seconds"]),
                        links=[to_page("database", "Database"), to_page("api-gateway", "API Gateway")],
                    ),
                ),
            ),
            row(
                "Causes",
                line(
                    8,
                    series(
                        "Subscriptions over time",
                        "Active subscriptions, and their number below which the alert for a sudden loss fires.",
                        {
                            "active": "sum(job:defillama_subscriptions:sum)",
                            "alert below": "(1 - scalar(threshold:business_subscriptions_drop:ratio))"
                            " * sum(max_over_time(job:defillama_subscriptions:sum[30m]))",
                        },
                        unit="short",
                        colors={"alert below": BAD},
                    ),
                    series(
                        "Unsubscribed",
                        "Share of the changes within 15 minutes that ended a subscription.",
                        {"unsubscribed": "job:defillama_unsubscribes_per_change:ratio_rate15m"},
                        unit="percentunit",
                        limit=above(at["business_unsubscribe:ratio"]),
                        maximum=1,
                    ),
                    series(
                        "Cache hit ratio over time",
                        "Share of requests to the cache that hit.",
                        {"hits": "job:defillama_cache_hits:ratio_rate5m"},
                        unit="percentunit",
                        limit=below(at["business_cache_hit:ratio"]),
                        maximum=1,
                    ),
                ),
                line(
                    8,
                    series(
                        "Events by type",
                        "Events processed per second, by type.",
                        {"{{type}}": "sum by (type) (job_type:defillama_events_processed:rate5m)"},
                        unit="cps",
                        stack=True,
                    ),
                    series(
                        "Notifications by channel",
                        "Notifications sent per second, by channel. One that stops alone: its provider.",
                        {"{{channel}}": "sum by (channel) (job_channel:defillama_notifications_sent:rate5m)"},
                        unit="cps",
                        stack=True,
                    ),
                    series(
                        "Mean query duration",
                        "Mean time that a query takes.",
                        {"mean": "job:defillama_query_duration_seconds:mean5m"},
                        unit="s",
                    ),
                ),
            ),
        ],
    )
