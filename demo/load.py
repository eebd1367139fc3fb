"""What the loads on the servers have in common."""

import threading
from collections.abc import Callable

from demo.application import Application
from demo.journal import Journal
from demo.knobs import Knobs
from demo.reconnect import Backend
from demo.settings import Address, Settings

STEP_SECONDS = 0.25
"""How often a load looks at its knobs."""


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

    def _keep_working(
        self, server: str, address: Address | None, failures: tuple[type[Exception], ...], *works: Callable[[], None]
    ) -> None:
        """Do each of `works` in a thread of its own, through `failures` of the server; nothing where there is none."""
        if address is not None:
            backend = Backend(server, failures, self._stop, self._journal)
            for work in works:
                backend.keep_working(work)


class ApplicationLoad(Load):
    """A load that the application makes: it counts what it does in the application's metrics."""

    def __init__(self, settings: Settings, knobs: Knobs, journal: Journal, application: Application) -> None:
        super().__init__(settings, knobs, journal)
        self._application = application
