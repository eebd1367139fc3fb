"""A real registry for tests, and a front before it that misbehaves on request."""

import http.client
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab import debian

PROGRAM = "docker-registry"


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Registry:
    """Docker's own registry on a loopback port, with its files in a directory."""

    def __init__(self, directory: Path) -> None:
        """Start it; `stop` ends it."""
        if not shutil.which(PROGRAM):
            debian.install([PROGRAM], print)
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._log = directory / "log"
        self._config = directory / "config.yml"
        self._config.write_text(
            "version: 0.1\n"
            "log: {level: info, accesslog: {disabled: false}}\n"
            f"storage: {{filesystem: {{rootdirectory: {directory / 'data'}}}}}\n"
            f"http: {{addr: '{self.host}'}}\n"
        )
        self.start()

    def start(self) -> None:
        """Start it, again or for the first time, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "serve", str(self._config)], stdout=log, stderr=log)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{PROGRAM} does not start: {self._log.read_text()}")

    def stop(self) -> None:
        """End it; its port refuses connections from then on."""
        self._process.terminate()
        self._process.wait(10)

    def requests(self, part: str = "/v2/") -> list[str]:
        """The lines of its access log that contain `part`."""
        return [line for line in self._log.read_text().splitlines() if '" "' in line and part in line]


Fault = Callable[["_Handler"], bool]
"""Something to do with one request instead of passing it on; False to pass it on all the same."""


class Front:
    """An HTTP server before a registry. `faults` are used up one by one, each by the next request it wants to have."""

    def __init__(self, registry: Registry, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        """Start it on a free port of `address`."""
        self.registry = registry
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self._lock = threading.Lock()
        front = self

        class Handler(_Handler):
            """A handler that knows its front."""

            def handle_one(self) -> None:
                with front._lock:
                    front.seen.append(f"{self.command} {self.path}")
                    fault = front.faults[0] if front.faults else None
                if fault and fault(self):
                    return
                self.forward(front.registry.host)

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def use(self, act: Callable[["_Handler"], None], *, of: str, times: int) -> None:
        """Do `act` with the next `times` requests whose path contains `of`."""
        left = [times]

        def fault(handler: "_Handler") -> bool:
            with self._lock:
                if of not in handler.path:
                    return False
                left[0] -= 1
                if left[0] <= 0:
                    self.faults.remove(fault)
            act(handler)
            return True

        self.faults.append(fault)

    def require(self, authorization: str) -> None:
        """Refuse every request that does not come with this value of the Authorization header."""

        def fault(handler: "_Handler") -> bool:
            if handler.headers["Authorization"] == authorization:
                return False
            challenge = {"WWW-Authenticate": 'Basic realm="test"'}
            answer(401, "UNAUTHORIZED", "authentication required", challenge)(handler)
            return True

        self.faults.append(fault)

    def count(self, part: str) -> int:
        """How many requests so far had `part` in their method and path."""
        return sum(part in line for line in self.seen)


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on to the registry."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def handle_one(self) -> None:
        """Answer the request; the front fills this in."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer a GET."""
        self.handle_one()

    def do_HEAD(self) -> None:
        """Answer a HEAD."""
        self.handle_one()

    def fetch(self, host: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the registry answers: status, headers, body."""
        connection = http.client.HTTPConnection(host, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        connection.request(self.command, self.path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, response.getheaders(), body

    def forward(self, host: str, change: Callable[[bytes], bytes] = bytes) -> None:
        """Give the registry's answer, its body through `change` (which must keep the length)."""
        status, headers, body = self.fetch(host)
        self.head(status, headers)
        self.wfile.write(change(body))

    def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Send status and headers."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()


def reset(handler: _Handler) -> None:
    """Cut the connection hard, so that the other side sees a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.rfile.close()
    handler.connection.close()


def answer(
    status: int, code: str = "", words: str = "", headers: dict[str, str] | None = None
) -> Callable[[_Handler], None]:
    """Answer with an error, in the registry API's form when a `code` is given, else as a plain page of a proxy."""
    body = f'{{"errors":[{{"code":"{code}","message":"{words}"}}]}}' if code else f"<html>{words or status}</html>"
    kind = "application/json" if code else "text/html"

    def act(handler: _Handler) -> None:
        extra = list((headers or {}).items())
        handler.head(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *extra])
        if handler.command != "HEAD":
            handler.wfile.write(body.encode())

    return act


def damage(host: str) -> Callable[[_Handler], None]:
    """Pass an answer on with one byte of its body changed."""

    def act(handler: _Handler) -> None:
        handler.forward(host, lambda body: bytes([body[0] ^ 1]) + body[1:] if body else body)

    return act


def cut(host: str) -> Callable[[_Handler], None]:
    """Pass on half of an answer's body and then cut the connection."""

    def act(handler: _Handler) -> None:
        status, headers, body = handler.fetch(host)
        handler.head(status, headers)
        handler.wfile.write(body[: len(body) // 2])
        handler.wfile.flush()
        reset(handler)

    return act


def drip(host: str, seconds: float) -> Callable[[_Handler], None]:
    """Pass on an answer's body so slowly that it takes `seconds`."""

    def act(handler: _Handler) -> None:
        status, headers, body = handler.fetch(host)
        handler.head(status, headers)
        step = max(1, len(body) // 100)
        for start in range(0, len(body), step):
            handler.wfile.write(body[start : start + step])
            handler.wfile.flush()
            time.sleep(seconds / 100)

    return act


@contextmanager
def silent_port(address: str) -> Iterator[str]:
    """An address whose connections open and are never answered."""
    with socket.create_server((address, 0)) as server:
        held: list[socket.socket] = []

        def hold() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=hold, daemon=True).start()
        yield f"{address}:{server.getsockname()[1]}"
        for connection in held:
            connection.close()


def self_signed(directory: Path, address: str) -> ssl.SSLContext:
    """A TLS server context with a certificate that nobody trusts."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={address}"]
    command += ["-addext", f"subjectAltName=IP:{address}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
