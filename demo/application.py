"""The application's business metrics.

Subscriptions, events, alerts and notifications are simulated here. Queries and cache look-ups are counted by
the threads that really make them (postgres_load.py, redis_load.py).
"""

import random
import time

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app

from demo.journal import Allowance, Journal, new_request_id
from demo.knobs import Knobs
from demo.registry import LATENCY_BUCKETS, process_registry
from demo.traffic import draw_count, wave

EVENT_TYPES = ("price_update", "tvl_change", "yield_change", "volume_spike", "protocol_listed")
EVENT_WEIGHTS = (60, 20, 12, 7, 1)
CHANNELS = ("email", "telegram", "discord", "webhook")
CHANNEL_WEIGHTS = (35, 35, 20, 10)


class Application:
    """The application: call `tick` often, serve `application`."""

    def __init__(self, knobs: Knobs, journal: Journal) -> None:
        self._knobs = knobs
        self._journal = journal
        self._allowance = Allowance(knobs, 0.25)
        self._active = knobs.number("subscriptions")
        registry = process_registry()
        self._subscriptions = Gauge("defillama_subscriptions", "Active subscriptions.", registry=registry)
        self._subscriptions.set(self._active)
        changes = Counter(
            "defillama_subscription_changes_total", "Subscriptions made and cancelled.", ["action"], registry=registry
        )
        events = Counter("defillama_events_processed_total", "Events processed, by type.", ["type"], registry=registry)
        self._alerts = Counter(
            "defillama_alerts_triggered_total", "Alerts to users that an event triggered.", registry=registry
        )
        sent = Counter(
            "defillama_notifications_sent_total", "Notifications sent, by channel.", ["channel"], registry=registry
        )
        self._queries = Counter("defillama_queries_total", "Queries to the database.", registry=registry)
        self._query_duration = Histogram(
            "defillama_query_duration_seconds",
            "Duration of queries to the database.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        cache = Counter("defillama_cache_requests_total", "Cache look-ups, by result.", ["result"], registry=registry)
        # Named once here, so that every series exists from the start.
        self._changes = {action: changes.labels(action) for action in ("subscribe", "unsubscribe")}
        self._events = {kind: events.labels(kind) for kind in EVENT_TYPES}
        self._sent = {channel: sent.labels(channel) for channel in CHANNELS}
        self._cache = {result: cache.labels(result) for result in ("hit", "miss")}
        self.application = make_wsgi_app(registry)

    def tick(self, seconds: float) -> None:
        """Let `seconds` of business pass."""
        if not self._knobs.flag("application_up"):
            return
        self._change_subscriptions(seconds)
        for _ in range(draw_count(self._knobs.number("event_rate") * wave(time.time()), seconds)):
            self._process_event()

    def count_query(self, seconds: float) -> None:
        """Count one query to the database that took `seconds`."""
        self._queries.inc()
        self._query_duration.observe(seconds)

    def count_cache_lookup(self, found: bool) -> None:
        """Count one look-up in the cache."""
        self._cache["hit" if found else "miss"].inc()

    def _change_subscriptions(self, seconds: float) -> None:
        usual = self._knobs.number("subscriptions")
        made = draw_count(self._knobs.number("subscribe_rate"), seconds)
        # The fewer subscriptions there are, the fewer are cancelled: so their number finds its balance.
        leaving = self._knobs.number("unsubscribe_rate") * self._active / usual
        cancelled = min(draw_count(leaving, seconds), int(self._active) + made)
        self._active += made - cancelled
        self._changes["subscribe"].inc(made)
        self._changes["unsubscribe"].inc(cancelled)
        self._subscriptions.set(self._active)

    def _process_event(self) -> None:
        kind = random.choices(EVENT_TYPES, EVENT_WEIGHTS)[0]
        self._events[kind].inc()
        triggered = random.random() < self._knobs.number("alert_ratio")
        channels = []
        if triggered:
            self._alerts.inc()
            count = draw_count(self._knobs.number("notifications_per_alert"), 1)
            channels = random.choices(CHANNELS, CHANNEL_WEIGHTS, k=count)
            for channel in channels:
                self._sent[channel].inc()
        if self._allowance.take(1 + triggered):
            request_id = new_request_id()
            self._journal.info("event_processed", f"processed a {kind} event", request_id, type=kind, alert=triggered)
            if triggered:
                self._journal.info("alert_triggered", f"told {len(channels)} users", request_id, channels=channels)
