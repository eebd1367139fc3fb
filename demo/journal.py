"""The logs: one JSON object a line on standard output."""

import json
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TextIO

from demo.knobs import Knobs


class Journal:
    """Writes log lines. Safe to use from any thread."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def info(self, event: str, msg: str, request_id: str = "", **fields: object) -> None:
        """Journal what happens as it should."""
        self._write("info", event, msg, request_id, fields)

    def warn(self, event: str, msg: str, request_id: str = "", **fields: object) -> None:
        """Journal what may need a look."""
        self._write("warn", event, msg, request_id, fields)

    def error(self, event: str, msg: str, request_id: str = "", **fields: object) -> None:
        """Journal what failed."""
        self._write("error", event, msg, request_id, fields)

    def _write(self, level: str, event: str, msg: str, request_id: str, fields: dict[str, object]) -> None:
        line = {"level": level, "event": event, "request_id": request_id or new_request_id(), "msg": msg, **fields}
        with self._lock:
            # The time is taken inside the lock, so that the lines are in the order of their times.
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._stream.write(json.dumps({"time": now, **line}, default=str) + "\n")
            self._stream.flush()


class Allowance:
    """Says how many lines of one kind may still be logged: a share of what the knob `log_rate` grants.

    What is not used within two seconds is lost, so a quiet minute is not followed by a flood.
    """

    def __init__(self, knobs: Knobs, share: float) -> None:
        self._knobs = knobs
        self._share = share
        self._lines = 0.0
        self._last = time.monotonic()

    def take(self, lines: int) -> bool:
        """Return whether a story of `lines` lines may be told now, and if so count it."""
        rate = self._knobs.number("log_rate") * self._share
        now = time.monotonic()
        # At a low rate a story may be longer than two seconds' worth: let one story be saved up.
        self._lines = min(self._lines + (now - self._last) * rate, max(2 * rate, lines))
        self._last = now
        if rate == 0 or self._lines < lines:
            return False
        self._lines -= lines
        return True


def new_request_id() -> str:
    """Return a new request id: 16 hexadecimal digits."""
    return uuid.uuid4().hex[:16]
