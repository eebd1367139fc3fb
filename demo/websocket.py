"""The WebSocket server's metrics: connections, messages, errors and latency."""

import random
import time

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app

from demo.journal import Allowance, Journal
from demo.knobs import Knobs
from demo.registry import LATENCY_BUCKETS, process_registry
from demo.traffic import approach, draw_count, lognormal, wave

DIRECTIONS = ("in", "out")
ERROR_TYPES = ("connection", "timeout", "protocol", "send")


class WebSocket:
    """The WebSocket server: call `tick` often, serve `application`."""

    def __init__(self, knobs: Knobs, journal: Journal) -> None:
        self._knobs = knobs
        self._journal = journal
        self._allowance = Allowance(knobs, 0.2)
        self._open = 0.0
        registry = process_registry()
        self._connections = Gauge("websocket_connections", "Open WebSocket connections.", registry=registry)
        messages = Counter("websocket_messages_total", "Messages, by direction.", ["direction"], registry=registry)
        errors = Counter("websocket_errors_total", "Messages that failed, by error.", ["type"], registry=registry)
        self._latency = Histogram(
            "websocket_message_latency_seconds",
            "Time from a message's arrival to its delivery.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        # Named once here, so that every series exists from the start.
        self._messages = {direction: messages.labels(direction) for direction in DIRECTIONS}
        self._errors = {error: errors.labels(error) for error in ERROR_TYPES}
        self.application = make_wsgi_app(registry)

    def tick(self, seconds: float) -> None:
        """Let `seconds` of traffic pass."""
        if not self._knobs.flag("websocket_up"):
            self._open = 0.0
            self._connections.set(0)
            return
        self._open = approach(self._open, self._knobs.number("websocket_connections"), seconds)
        self._connections.set(round(self._open))
        for _ in range(draw_count(self._knobs.number("websocket_message_rate") * wave(time.time()), seconds)):
            self._handle_message()

    def _handle_message(self) -> None:
        # Prices go out to many, little comes in.
        self._messages[random.choices(DIRECTIONS, (1, 4))[0]].inc()
        if random.random() < self._knobs.number("websocket_error_ratio"):
            self._fail()
        else:
            self._latency.observe(lognormal(self._knobs.number("websocket_latency_seconds")))

    def _fail(self) -> None:
        error = random.choice(ERROR_TYPES)
        self._errors[error].inc()
        if self._allowance.take(1):
            self._journal.error("message_failed", f"a message failed: {error} error", type=error)
