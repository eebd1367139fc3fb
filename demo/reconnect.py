"""Work that goes on whatever happens to the server it needs."""

import threading
import time
from collections.abc import Callable

from demo.journal import Journal

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0
_QUIET_SECONDS = 60.0


def keep_working(
    name: str,
    work: Callable[[], None],
    failures: tuple[type[Exception], ...],
    stop: threading.Event,
    journal: Journal,
) -> None:
    """Call `work` until `stop` is set; after one of `failures` wait, a little longer each time, and call it again.

    `work` connects, then works until `stop` is set. At most one line a minute is logged about failures.
    """
    pause = _FIRST_PAUSE_SECONDS
    quiet_until = 0.0
    while not stop.is_set():
        began = time.monotonic()
        try:
            work()
        except failures as error:
            now = time.monotonic()
            if now >= quiet_until:
                journal.warn("backend_trouble", f"{name}: {type(error).__name__}: {_first_line(error)}", backend=name)
                quiet_until = now + _QUIET_SECONDS
            # What worked for a while is a new fault: try again soon.
            pause = _FIRST_PAUSE_SECONDS if now - began > _LONGEST_PAUSE_SECONDS else pause
            stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
