"""The command: `python3 -m demo` with the flags of settings.py."""

import os
import signal
import sys
import threading
import warnings

from demo.api import Api
from demo.api_load import ApiLoad
from demo.application import Application
from demo.control import control_application
from demo.failed_logins import FailedLogins
from demo.journal import Journal
from demo.knobs import Knobs
from demo.kong import Kong
from demo.postgres_load import PostgresLoad
from demo.realtime import Realtime
from demo.redis_load import RedisLoad
from demo.servers import Endpoint, Switchboard, only_metrics
from demo.settings import PROGRAM, Settings, read_settings
from demo.simulation import log_errors, run_simulation
from demo.websocket import WebSocket

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Run until SIGTERM or SIGINT. Return the exit code: 0, 1 for a fault of ours, 2 for wrong settings."""
    settings = read_settings()
    # Blocked, a signal waits until sigwait takes it. A handler could run in the middle of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    stop = threading.Event()
    journal = Journal()
    failed = _end_on_fault(journal)
    try:
        _start(settings, stop, journal)
    except OSError as error:
        print(f"{PROGRAM}: cannot listen: {error}", file=sys.stderr)
        return 2
    journal.info("started", "the demo runs", ports=dict(settings.ports))
    signal.sigwait(_SIGNALS)
    journal.info("stopping", "the demo stops")
    # The threads are daemons: what they wait for must not hold up the end.
    stop.set()
    return 1 if failed.is_set() else 0


def _start(settings: Settings, stop: threading.Event, journal: Journal) -> None:
    """Open the ports and start the threads. Raises OSError when a port cannot be had."""
    knobs = Knobs()
    kong = Kong(knobs, journal)
    realtime = Realtime(knobs, settings.realtime_secret)
    websocket = WebSocket(knobs, journal)
    application = Application(knobs, journal)
    switchboard = Switchboard()
    control = control_application(knobs, journal, switchboard.apply)
    for name, served, wanted in (
        ("kong", only_metrics(kong.application), lambda: knobs.flag("kong_up")),
        ("realtime", only_metrics(realtime.application), lambda: knobs.flag("realtime_up")),
        ("websocket", only_metrics(websocket.application), lambda: knobs.flag("websocket_up")),
        ("app", only_metrics(application.application), lambda: knobs.flag("application_up")),
        ("api", Api(knobs, journal).application, lambda: knobs.flag("application_up")),
        ("control", control, lambda: True),
    ):
        switchboard.add(Endpoint(name, settings.bind, settings.ports[name], served), wanted)
    switchboard.apply()
    ticks = (kong.tick, realtime.tick, websocket.tick, application.tick, log_errors(knobs, journal))
    threading.Thread(target=run_simulation, args=(ticks, stop), daemon=True).start()
    PostgresLoad(settings, knobs, journal, application).start(stop)
    FailedLogins(settings, knobs, journal).start(stop)
    RedisLoad(settings, knobs, journal, application).start(stop)
    ApiLoad(settings, knobs, journal).start(stop)


def _end_on_fault(journal: Journal) -> threading.Event:
    """Make a thread that dies of a fault end the program. Returns the event that is then set.

    A demo that still answers but stands still would be the hardest thing to find; ended, it is restarted.
    """
    failed = threading.Event()

    def hook(fault: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(fault)
        journal.error("fault", f"{fault.exc_type.__name__}: {fault.exc_value}")
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.excepthook = hook
    return failed


if __name__ == "__main__":
    # A short secret is the operator's business; a warning at every scrape is no help.
    warnings.filterwarnings("ignore", module="jwt")
    sys.exit(main())
