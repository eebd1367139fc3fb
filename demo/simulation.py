"""The clock of the simulated services: one thread lets a little time pass in each, four times a second."""

import threading
import time
from collections.abc import Callable, Sequence

from demo.journal import Journal
from demo.knobs import Knobs
from demo.traffic import draw_count

_INTERVAL_SECONDS = 0.25
# After a pause (a suspended machine, a stopped container) the lost time is not made up for.
_MOST_SECONDS = 2.0


def run_simulation(ticks: Sequence[Callable[[float], None]], stop: threading.Event) -> None:
    """Call each of `ticks` with the seconds gone by, until `stop` is set."""
    last = time.monotonic()
    while not stop.wait(_INTERVAL_SECONDS):
        now = time.monotonic()
        for tick in ticks:
            tick(min(now - last, _MOST_SECONDS))
        last = now


def log_errors(knobs: Knobs, journal: Journal) -> Callable[[float], None]:
    """Return a tick that writes the lines the knob `log_error_rate` asks for."""

    def tick(seconds: float) -> None:
        for _ in range(draw_count(knobs.number("log_error_rate"), seconds)):
            journal.error("forced_error", "an error that log_error_rate asked for")

    return tick
