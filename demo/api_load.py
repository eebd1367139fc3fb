"""The clients of the API: they ask through Nginx, as often as a knob says."""

import http.client
import random
import threading
import time

from demo.api import PATHS
from demo.journal import Journal, new_request_id
from demo.knobs import Knobs
from demo.reconnect import Backend
from demo.settings import Settings
from demo.traffic import draw_count, wave

FAILURES = (OSError, http.client.HTTPException)
"""What goes wrong when Nginx is not there."""

_STEP_SECONDS = 0.25
_TIMEOUT_SECONDS = 5


class ApiLoad:
    """One client that makes requests one after the other."""

    def __init__(self, settings: Settings, knobs: Knobs, journal: Journal) -> None:
        self._settings = settings
        self._knobs = knobs
        self._journal = journal
        self._stop = threading.Event()

    def start(self, stop: threading.Event) -> None:
        """Start the thread, where there is a Nginx."""
        self._stop = stop
        if self._settings.nginx is not None:
            Backend("nginx", FAILURES, stop, self._journal).keep_working(self._ask)

    def _ask(self) -> None:
        address = self._settings.nginx
        assert address is not None
        connection = http.client.HTTPConnection(address.host, address.port, timeout=_TIMEOUT_SECONDS)
        try:
            last = time.monotonic()
            while not self._stop.wait(_STEP_SECONDS):
                now = time.monotonic()
                rate = self._knobs.number("api_request_rate") * wave(time.time())
                for _ in range(draw_count(rate, min(now - last, 1.0))):
                    self._request(connection)
                last = now
        finally:
            connection.close()

    def _request(self, connection: http.client.HTTPConnection) -> None:
        path = random.choice(PATHS).format(number=random.randrange(1, 10_000))
        connection.request("GET", path, headers={"X-Request-ID": new_request_id(), "User-Agent": "demo"})
        connection.getresponse().read()
