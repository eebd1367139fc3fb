"""What the loads on PostgreSQL and on Redis have in common."""

import threading

from demo.application import Application
from demo.journal import Journal
from demo.knobs import Knobs
from demo.settings import Settings


class Load:
    """A load. `start` begins it; it ends when `stop` is set."""

    def __init__(self, settings: Settings, knobs: Knobs, application: Application, journal: Journal) -> None:
        self._settings = settings
        self._knobs = knobs
        self._application = application
        self._journal = journal
        self._stop = threading.Event()

    def start(self, stop: threading.Event) -> None:
        """Start the threads of the load, and end them when `stop` is set."""
        self._stop = stop
        self._start()

    def _start(self) -> None:
        raise NotImplementedError
