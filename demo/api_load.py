"""The clients of the API: they ask through Nginx, as often as a knob says."""

import http.client
import random
import time

from demo.api import PATHS
from demo.journal import new_request_id
from demo.load import STEP_SECONDS, Load
from demo.traffic import draw_count, wave

FAILURES = (OSError, http.client.HTTPException)
"""What goes wrong when Nginx is not there."""

_TIMEOUT_SECONDS = 5


class ApiLoad(Load):
    """One client that makes requests one after the other."""

    def _start(self) -> None:
        self._keep_working("nginx", self._settings.nginx, FAILURES, self._ask)

    def _ask(self) -> None:
        address = self._settings.nginx
        assert address is not None
        connection = http.client.HTTPConnection(address.host, address.port, timeout=_TIMEOUT_SECONDS)
        try:
            last = time.monotonic()
            while not self._stop.wait(STEP_SECONDS):
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
