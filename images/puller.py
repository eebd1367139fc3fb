"""Pulling one image through the Docker engine: with further attempts where they help, and for how long."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
import requests
import tenacity
from docker.auth import get_config_header
from docker.errors import APIError, DockerException
from docker.utils.json_stream import json_stream

from images.errors import ImageError
from images.faults import INTERRUPTED, STUCK, TIME_LIMIT, Fault, PullError, classify
from images.reference import Reference
from lab.process import Report

# Seconds without a word from the engine after which an attempt counts as stuck. The engine is silent while it waits for
# a registry, at most 15 s for each address it knows (moby: registry/registry.go), and reports progress all along
# afterwards.
SILENCE = 60.0

# Seconds between two progress lines of one image.
_PROGRESS_EVERY = 5.0


class EngineError(ImageError):
    """The Docker engine itself did not answer; no other source of images can help."""


@dataclass
class Hosts:
    """Registry hosts seen in one run: those that gave something, and those that are not worth another attempt."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _alive: set[str] = field(default_factory=set)
    _lost: dict[str, Fault] = field(default_factory=dict)

    def works(self, host: str) -> None:
        """Note that this host delivered data."""
        with self._lock:
            self._alive.add(host)

    def failed(self, error: PullError) -> None:
        """Note how a pull ended; from then on `why_lost` names the reason if it concerns the whole host."""
        host, fault = error.reference.host, error.fault
        with self._lock:
            if fault.host == "at once" or (fault.host == "in the end" and host not in self._alive):
                self._lost.setdefault(host, fault)

    def why_lost(self, host: str) -> Fault | None:
        """Why this host is not worth an attempt, or None when it is."""
        with self._lock:
            return self._lost.get(host)


class Puller:
    """Pulls images one by one, from several threads if wanted, and shares what it learns about hosts between them.

    `seconds` is the time that one image may take at one registry, all attempts and waits together.
    """

    def __init__(self, engine: docker.DockerClient, seconds: float, report: Report) -> None:
        """Start with no knowledge about any host."""
        self.engine = engine
        self.seconds = seconds
        self.report = report
        self.hosts = Hosts()
        self._stop = threading.Event()

    def stop(self) -> None:
        """End all pulls under way at their next sign of life; for when the caller is interrupted."""
        self._stop.set()

    def pull(self, name: str, reference: Reference) -> None:
        """Pull one image, reporting progress as `name`. Raises PullError, or EngineError when the engine is gone."""
        self._retry(name, reference, lambda deadline: self._attempt(name, reference, deadline))

    def digest(self, name: str, reference: Reference) -> str:
        """The digest that the registry has for a tag (of the whole list when it is for several architectures)."""
        found: list[str] = []

        def ask(_deadline: float) -> None:
            found.append(self.engine.images.get_registry_data(reference.tagged).id or "")

        self._retry(name, reference, ask)
        return found[-1]

    def _retry(self, name: str, reference: Reference, act: Callable[[float], None]) -> None:
        """Call `act` with its deadline until it succeeds, its fault allows no more attempts, or the time is over."""
        deadline = time.monotonic() + self.seconds
        errors: list[PullError] = []

        def once() -> None:
            lost = self.hosts.why_lost(reference.host)
            if lost:
                raise PullError(reference, lost, "", attempts=0)
            if self._stop.is_set():
                raise PullError(reference, INTERRUPTED, "")
            try:
                act(deadline)
            except DockerException as error:
                text = str((isinstance(error, APIError) and error.explanation) or error)
                raise PullError(reference, classify(text), text) from None
            except requests.exceptions.RequestException as error:
                raise self._engine_fault(reference, error, deadline) from None

        def tell(state: tenacity.RetryCallState) -> None:
            error = _error(state)
            errors.append(error)
            wait = state.next_action.sleep if state.next_action else 0.0
            count = f"attempt {state.attempt_number} of {error.fault.attempts}"
            self.report(
                f"{name}: {error.fault.name} at {reference.host}, {count}; again in {wait:.0f} s ({error.text})"
            )

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PullError),
            stop=_out_of_attempts | tenacity.stop_before_delay(self.seconds),
            wait=_wait,
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=tell,
            reraise=True,
        )
        try:
            retrying(once)
        except PullError as error:
            if error.fault is TIME_LIMIT and errors:
                error.text += f"; the attempt before: {errors[-1].fault.name}: {errors[-1].text}"
            error.attempts = int(retrying.statistics["attempt_number"]) - (0 if error.attempts else 1)
            self.hosts.failed(error)
            raise
        self.hosts.works(reference.host)

    def _engine_fault(self, reference: Reference, error: Exception, deadline: float) -> Exception:
        """What a broken exchange with the engine means: an attempt that hangs, or an engine that is gone."""
        # requests calls a time-out in the middle of a stream a ConnectionError.
        if "timed out" not in str(error).lower():
            return EngineError(f"the Docker engine stopped answering while {reference} was pulled: {error}")
        if time.monotonic() >= deadline - 1:
            return PullError(reference, TIME_LIMIT, f"not done after {self.seconds:.0f} s")
        return PullError(reference, STUCK, f"no progress for {SILENCE:.0f} s")

    def _attempt(self, name: str, reference: Reference, deadline: float) -> None:
        """Ask the engine once, read its stream to the end, and raise PullError for an error told in the stream."""
        api = self.engine.api
        remaining = max(deadline - time.monotonic(), 1.0)
        # Not api.pull(): that waits for ever, and so would we when a connection hangs.
        auth = get_config_header(api, reference.host)
        response = api.post(
            f"{api.base_url}/v{api.api_version}/images/create",
            params={"fromImage": reference.repository, "tag": reference.digest or reference.tag},
            headers={"X-Registry-Auth": auth} if auth else {},
            stream=True,
            timeout=min(SILENCE, remaining),
        )
        with response:
            if not response.ok:
                text = message(response)
                raise PullError(reference, classify(text), text)
            progress = _Progress(name, self.report)
            for record in records(response):
                if "error" in record:
                    text = str(record["error"])
                    raise PullError(reference, classify(text), text)
                if progress.add(record):
                    self.hosts.works(reference.host)
                # Leaving closes the connection, which makes the engine give up this pull.
                if self._stop.is_set():
                    raise PullError(reference, INTERRUPTED, "")
                if time.monotonic() >= deadline:
                    raise PullError(reference, TIME_LIMIT, f"not done after {self.seconds:.0f} s")


def records(response: requests.Response) -> Iterator[dict[str, Any]]:
    """The JSON objects of an answer that the engine streams, as they arrive."""
    for record in json_stream(response.iter_content(chunk_size=None)):
        if isinstance(record, dict):
            yield record


@dataclass
class _Progress:
    """Sums up the layers of one pull and tells about it every few seconds."""

    name: str
    report: Report
    _layers: dict[str, tuple[int, int]] = field(default_factory=dict)
    _told: float = field(default_factory=time.monotonic)

    def add(self, record: Mapping[str, Any]) -> bool:
        """Take one record of the stream; True when it shows that data arrived."""
        detail = record.get("progressDetail") or {}
        if record.get("status") != "Downloading" or not detail.get("current"):
            return False
        self._layers[str(record.get("id"))] = (detail["current"], detail.get("total", 0))
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY:
            self._told = now
            done, total = (sum(column) / 1e6 for column in zip(*self._layers.values(), strict=True))
            self.report(f"{self.name}: {done:.0f} of {total:.0f} MB")
        return True


def message(response: requests.Response) -> str:
    """The engine's words in an answer that is not a success."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:300]}"


def _error(state: tenacity.RetryCallState) -> PullError:
    """The error that the last attempt ended with."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, PullError):
        raise TypeError(f"only PullError is retried, not {error!r}")
    return error


class _OutOfAttempts(tenacity.stop.stop_base):
    """Stops when the class of the last error allows no further attempt, or there was none because its host is lost."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = _error(retry_state)
        return not error.attempts or retry_state.attempt_number >= error.fault.attempts


_out_of_attempts = _OutOfAttempts()

# Some registries say how long to wait, as a Go duration:
# "toomanyrequests: retry-after: 412.5µs, allowed: 44000/minute".
_RETRY_AFTER = re.compile(r"retry[- ]after:? ([\d.]+)\s?(ms|µs|us|ns|m|s|)\b", re.IGNORECASE)
_UNITS = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0}


def retry_after(text: str) -> float:
    """Seconds that a registry asks to wait; 0 when it does not say."""
    match = _RETRY_AFTER.search(text)
    return float(match[1]) * _UNITS[match[2].lower()] if match else 0.0


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: doubling from the fault's own start, with jitter; never less than asked for."""
    error = _error(state)
    backoff = tenacity.wait_exponential_jitter(multiplier=error.fault.wait, max=60.0, jitter=error.fault.wait)
    return max(retry_after(error.text), backoff(state))
