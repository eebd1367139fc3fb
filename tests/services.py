"""Servers in place of Slack, PagerDuty and the rest: HTTPS and SMTP, with a certificate of the test's own."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.processes import unused_port

USER, PASSWORD = "alertmanager", "smtp-s3cret"


@dataclass(frozen=True)
class Answer:
    """How a service answers; `delay` in seconds."""

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0


@dataclass(frozen=True)
class Post:
    """What was posted to a service, when (seconds of the clock), and with which status it was answered."""

    path: str
    body: Any
    at: float
    status: int
    authorization: str = ""


class Authority:
    """A certificate authority; `pem` is its certificate."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.pem = self._authority.cert_pem.bytes().decode()

    def server(self, *names: str) -> ssl.SSLContext:
        """What a server at these names or addresses identifies itself with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context


class Services(ThreadingHTTPServer):
    """Keeps what is posted to it, in `posts`; `answers` says how a path answers (`ok` where it says nothing)."""

    daemon_threads = True
    # A burst of connections must not wait for the next second's retry.
    request_queue_size = 64

    def __init__(self, context: ssl.SSLContext | None, host: str = "127.0.0.1") -> None:
        self.posts: list[Post] = []
        self.answers: dict[str, Callable[[], Answer]] = {}
        services = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                answer = services.answers.get(self.path, Answer)()
                time.sleep(answer.delay)
                secret = self.headers.get("Authorization", "")
                services.posts.append(Post(self.path, json.loads(text), time.time(), answer.status, secret))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body.encode())

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        self._context = context
        super().__init__((host, 0), Handler)
        self.url = f"{'https' if context else 'http'}://{host}:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS in the request's own thread: a client that breaks it off must not hold up the others."""
        if self._context:
            try:
                request = self._context.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no error here."""

    def taken(self, path: str) -> list[Any]:
        """The bodies that were taken (answered with 200) at a path."""
        return [post.body for post in self.posts if post.path == path and post.status == 200]


class Mailbox:
    """An SMTP server that takes mail after STARTTLS and a log-in only; `messages` are those taken, parsed."""

    def __init__(self, context: ssl.SSLContext, host: str = "127.0.0.1") -> None:
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []
        self.host, self.port = host, unused_port()
        self._controller = Controller(
            self,
            hostname=host,
            port=self.port,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=_authenticate,
            # aiosmtpd asks for the name in words that Alertmanager does not know.
            auth_exclude_mechanism=["LOGIN"],
            ready_timeout=30,
        )
        self._controller.start()

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        """Take a message (the name is the library's)."""
        self.raw.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def keys(self) -> dict[str, str]:
        """The configuration of a stack that sends its mails here: key -> value."""
        return {
            "smtpHost": self.host,
            "smtpPort": str(self.port),
            "smtpFrom": "monitoring@example.org",
            "smtpUsername": USER,
            "smtpPassword": PASSWORD,
            "alertEmailCritical": "oncall@example.org",
            "alertEmailHigh": "team@example.org",
        }

    def stop(self) -> None:
        """Close it."""
        self._controller.stop()


def _authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, given: Any) -> AuthResult:
    known = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    # Not handled: the server itself says no.
    return AuthResult(success=known, handled=known)


@contextmanager
def services(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Services]:
    """A running server of services, of HTTPS where there is a context."""
    server = Services(context, host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def mailbox(context: ssl.SSLContext, host: str = "127.0.0.1") -> Iterator[Mailbox]:
    """A running mail server."""
    box = Mailbox(context, host)
    try:
        yield box
    finally:
        box.stop()
