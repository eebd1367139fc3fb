"""The application's HTTP API, which clients reach through Nginx."""

import random
import time
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from demo.journal import Allowance, Journal, new_request_id
from demo.knobs import Knobs
from demo.servers import respond
from demo.traffic import lognormal

PATHS = (
    "/api/v1/prices/{number}?currency=usd",
    "/api/v1/protocols",
    "/api/v1/protocols/{number}/tvl?days=30",
    "/api/v1/users/{number}/alerts",
)
"""What clients ask for; `{number}` is an id."""

_MEDIAN_SECONDS = 0.004


class Api:
    """The API: serve `application`. How many of its answers are errors is up to the knobs."""

    def __init__(self, knobs: Knobs, journal: Journal) -> None:
        self._knobs = knobs
        self._journal = journal
        self._allowance = Allowance(knobs, 0.3)

    def application(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request, under the id that Nginx gave it."""
        status = self._status()
        time.sleep(min(lognormal(_MEDIAN_SECONDS), 1))
        self._tell(environ, status)
        body = b'{"status": %d}\n' % status
        return respond(start, f"{status.value} {status.phrase}", "application/json", body)

    def _status(self) -> HTTPStatus:
        draw = random.random()
        errors, refused = self._knobs.number("api_error_ratio"), self._knobs.number("api_unauthorized_ratio")
        if draw < errors:
            return HTTPStatus.INTERNAL_SERVER_ERROR
        return HTTPStatus.UNAUTHORIZED if draw < errors + refused else HTTPStatus.OK

    def _tell(self, environ: WSGIEnvironment, status: HTTPStatus) -> None:
        """Journal what failed, and of the rest what there is room for in the logs."""
        if status < HTTPStatus.BAD_REQUEST and not self._allowance.take(1):
            return
        request_id = environ.get("HTTP_X_REQUEST_ID") or new_request_id()
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        server, client = status >= HTTPStatus.INTERNAL_SERVER_ERROR, status >= HTTPStatus.BAD_REQUEST
        say = self._journal.error if server else self._journal.warn if client else self._journal.info
        say("request_handled", f"{method} {path} {status.value}", request_id, status=status.value)
