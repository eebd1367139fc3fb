"""Work that goes on whatever happens to the server it needs."""

import threading
import time
from collections.abc import Callable

from demo.journal import Journal

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0
_QUIET_SECONDS = 60.0


class Backend:
    """One server, and the threads that work on it until `stop` is set.

    `failures` are the errors that mean trouble with the server. At most one line a minute is logged about
    them, whatever the number of threads. Any other error is a fault of ours and ends its thread.
    """

    def __init__(
        self, name: str, failures: tuple[type[Exception], ...], stop: threading.Event, journal: Journal
    ) -> None:
        self._name = name
        self._failures = failures
        self._stop = stop
        self._journal = journal
        self._quiet_until = 0.0

    def keep_working(self, work: Callable[[], None]) -> None:
        """Start a thread that calls `work` again and again, after a failure with a longer pause each time.

        `work` connects, then works until `stop` is set.
        """
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: Callable[[], None]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                work()
            except self._failures as error:
                self._report(error)
                # What worked for a while has met a new trouble: try again soon.
                worked = time.monotonic() - began
                pause = _FIRST_PAUSE_SECONDS if worked > _LONGEST_PAUSE_SECONDS else pause
                self._stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _report(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            reason = (str(error).splitlines() or [""])[0]
            message = f"{self._name}: {type(error).__name__}: {reason}"
            self._journal.warn("backend_trouble", message, backend=self._name)
