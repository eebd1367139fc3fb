"""What the loads on the servers have in common."""

import threading

from demo.application import Application
from demo.journal import Journal
from demo.knobs import Knobs
from demo.settings import Settings


class Load:
    """A load. `start` begins it; it ends when `stop` is set."""

    def __init__(self, settings: Settings, knobs: Knobs, journal: Journal) -> None:
        self._settings = settings
        self._knobs = knobs
        self._journal = journal
        self._stop = threading.Event()

    def start(self, stop: threading.Event) -> None:
        """Start the threads of the load, where there is a server for it, and end them when `stop` is set."""
        self._stop = stop
        self._start()

    def _start(self) -> None:
        raise NotImplementedError


class ApplicationLoad(Load):
    """A load that the application makes: it counts what it does in the application's metrics."""

    def __init__(self, settings: Settings, knobs: Knobs, journal: Journal, application: Application) -> None:
        super().__init__(settings, knobs, journal)
        self._application = application
