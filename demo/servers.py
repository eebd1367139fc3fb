"""HTTP ports that can be closed and opened again while the program runs."""

import socketserver
import threading
from collections.abc import Callable, Iterable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# How long closing a port may take: the serving thread looks this often whether it should end.
_POLL_SECONDS = 0.25


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 16

    def server_bind(self) -> None:
        """Bind without asking the DNS for this host's name, which the base class would do."""
        socketserver.TCPServer.server_bind(self)
        self.server_name = str(self.server_address[0])
        self.server_port = int(self.server_address[1])
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    # A client that says nothing must not hold a thread for ever.
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: scrapes are no events."""


class Endpoint:
    """One port with one application behind it.

    HTTP/1.0 is spoken, so no connection outlives its request: closing the port is at once what a client sees
    when the service has died.
    """

    def __init__(self, name: str, host: str, port: int, application: WSGIApplication) -> None:
        self._name = name
        self._address = (host, port)
        self._application = application
        self._server: _Server | None = None

    @property
    def is_open(self) -> bool:
        """Whether the port answers."""
        return self._server is not None

    def open(self) -> None:
        """Start to answer. Raises OSError, whose message names the port, when it cannot be had."""
        try:
            server = _Server(self._address, _Handler)
        except OSError as error:
            host, port = self._address
            raise OSError(f"{self._name} on {host}:{port}: {error.strerror or error}") from error
        server.set_app(self._application)
        threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
        self._server = server

    def close(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Switchboard:
    """Keeps the ports of the services as their knobs say: open or closed."""

    def __init__(self) -> None:
        self._switches: list[tuple[Endpoint, Callable[[], bool]]] = []
        self._lock = threading.Lock()

    def add(self, endpoint: Endpoint, wanted: Callable[[], bool]) -> None:
        """Put `endpoint` under control: it is to be open while `wanted()`."""
        self._switches.append((endpoint, wanted))

    def apply(self) -> None:
        """Open and close what is not as wanted. Raises OSError when a port cannot be had."""
        with self._lock:
            for endpoint, wanted in self._switches:
                if wanted() and not endpoint.is_open:
                    endpoint.open()
                elif endpoint.is_open and not wanted():
                    endpoint.close()


def respond(start: StartResponse, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    """Answer a request with a whole body."""
    start(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def only_metrics(application: WSGIApplication) -> WSGIApplication:
    """Return an application that passes on /metrics and answers 404 to everything else."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            return respond(start, "404 Not Found", "text/plain", b"only /metrics is here\n")
        return application(environ, start)

    return app
