"""The control API: read and turn the knobs while the demo runs.

GET /healthz       200 when the program runs
GET /state         every knob with its value, default, unit, description and limits
POST /state        {"knob": value, …}: sets all of them, or none and 400 with the reason
POST /reset        sets every knob back to its default

A change is in force when the answer comes: a port switched off is closed by then.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from demo.journal import Journal
from demo.knob import KnobError
from demo.knobs import Knobs
from demo.servers import respond

_MAX_BODY_BYTES = 100_000


def control_application(knobs: Knobs, journal: Journal, apply: Callable[[], None]) -> WSGIApplication:
    """Return the control API. `apply` is called after each change and puts it in force."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if request == ("GET", "/healthz"):
            return respond(start, "200 OK", "text/plain", b"ok\n")
        if request == ("GET", "/state"):
            return _answer(start, "200 OK", knobs.describe())
        if request == ("POST", "/state"):
            return _change(environ, start)
        if request == ("POST", "/reset"):
            knobs.reset()
            return _applied(start, {"reset": True})
        return _answer(start, "404 Not Found", {"error": "there are GET /healthz, GET and POST /state, POST /reset"})

    def _change(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            changes = _read_object(environ)
            knobs.change(changes)
        except ValueError as error:
            return _answer(start, "400 Bad Request", {"error": str(error)})
        return _applied(start, changes)

    def _applied(start: StartResponse, changes: Mapping[str, object]) -> Iterable[bytes]:
        try:
            apply()
        except OSError as error:
            return _answer(start, "500 Internal Server Error", {"error": f"the change is not in force: {error}"})
        journal.info("knobs_changed", "knobs were turned", knobs=changes)
        return _answer(start, "200 OK", knobs.describe())

    return app


def _read_object(environ: WSGIEnvironment) -> dict[str, object]:
    """Return the JSON object in the request's body; raise KnobError when there is none."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = -1
    if not 0 < length <= _MAX_BODY_BYTES:
        raise KnobError(f'send a JSON object such as {{"kong_up": false}}, at most {_MAX_BODY_BYTES} bytes')
    try:
        found = json.loads(environ["wsgi.input"].read(length))
    except ValueError as error:
        raise KnobError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise KnobError('the body is not a JSON object such as {"kong_up": false}')
    return found


def _answer(start: StartResponse, status: str, found: Mapping[str, object]) -> Iterable[bytes]:
    return respond(start, status, "application/json", json.dumps(found, indent=2).encode() + b"\n")
