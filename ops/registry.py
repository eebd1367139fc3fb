"""Pulling one image through the Docker engine: what its errors mean, which are worth another attempt, and for how long.

The engine does the pulling, so all that is left of an error is its text. `FAULTS` is the one place that knows these
texts.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import docker
import requests
import tenacity
from docker.auth import get_config_header, resolve_repository_name
from docker.errors import APIError, DockerException, InvalidRepository
from docker.utils import parse_repository_tag
from docker.utils.json_stream import json_stream

from ops.errors import OpsError

Report = Callable[[str], None]
"""Takes one line about what is going on, for a person to read."""

# Seconds without a word from the engine after which an attempt counts as stuck. The engine is silent while it waits for
# a registry, at most 15 s for each address it knows (moby: registry/registry.go), and reports progress all along
# afterwards.
SILENCE = 60.0

# Seconds between two progress lines of one image.
_PROGRESS_EVERY = 5.0

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# The grammar of distribution/reference, without the host.
_PATH = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")


@dataclass(frozen=True)
class Reference:
    """The name of an image: registry host, path, tag (empty when there is none), digest (empty when there is none)."""

    host: str
    path: str
    tag: str
    digest: str = ""

    @property
    def repository(self) -> str:
        """Host and path, written out (`docker.io/library/redis`)."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """Host and path as the engine lists them: it leaves out `docker.io/` and `library/`."""
        if self.host != "docker.io":
            return self.repository
        return self.path.removeprefix("library/")

    @property
    def tagged(self) -> str:
        """The reference without its digest."""
        return f"{self.repository}:{self.tag}" if self.tag else self.repository

    def __str__(self) -> str:
        """The whole reference, as a container's `image` takes it."""
        return f"{self.tagged}@{self.digest}" if self.digest else self.tagged

    def mirrored(self, mirror: str) -> "Reference":
        """The same image behind a mirror prefix such as `mirror.example/dockerhub`."""
        host, _, prefix = mirror.rstrip("/").partition("/")
        return replace(self, host=host, path=f"{prefix}/{self.path}" if prefix else self.path)


def parse(text: str) -> Reference:
    """Read `[host/]path[:tag][@digest]`; neither tag nor digest means `latest`. Raises ValueError if malformed."""
    name, _, digest = text.partition("@")
    repository, tag = parse_repository_tag(name)
    try:
        host, path = resolve_repository_name(repository)
    except InvalidRepository as error:
        raise ValueError(f"{text!r} is not an image reference: {error}") from None
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    tag = tag or ("" if digest else "latest")
    wrong_tag = name.endswith(":") or (tag and not _TAG.fullmatch(tag))
    if wrong_tag or not _PATH.fullmatch(path) or ("@" in text and not _DIGEST.fullmatch(digest)):
        raise ValueError(f"{text!r} is not an image reference; one looks like docker.io/library/redis:7.0.15")
    return Reference(host, path, tag, digest)


@dataclass(frozen=True)
class Fault:
    """A class of errors: what it means, how often to try in all, seconds before the second attempt, whom it concerns.

    `host` is "at once" when one such error says that no other image can come from this host either, "in the end" when
    that only follows from running out of attempts, and "never" when the error is about one image.
    """

    name: str
    meaning: str
    patterns: tuple[str, ...]
    attempts: int = 1
    wait: float = 1.0
    host: str = "never"


# The first fault with a matching pattern is the one, so the order matters: an answer of the registry before the
# connection, and the particular before the general.
FAULTS = (
    Fault(
        "rate limit",
        "the registry limits how much is pulled from it",
        (
            r"toomanyrequests",  # distribution: registry/api/errcode/register.go, ErrorCodeTooManyRequests
            r"\b429\b",  # distribution: registry/client/errors.go, "error parsing HTTP 429 response body"
            r"Too Many Requests",
            r"pull rate limit",  # Docker Hub
        ),
        attempts=4,
        wait=15.0,
        host="in the end",
    ),
    Fault(
        "not found",
        "the registry has no such image",
        (
            r"manifest unknown",  # distribution: registry/api/v2/errors.go, ErrorCodeManifestUnknown
            r"manifest for .* not found",  # moby: distribution/errors.go, notFoundError
            r"name unknown|repository name not known to registry",  # distribution: ErrorCodeNameUnknown
            r"no matching manifest for",  # moby: distribution/pull_v2.go: not for this machine's architecture
            r"\b404\b|: not found$",  # containerd: core/remotes/docker/resolver.go
        ),
    ),
    Fault(
        "denied",
        "the registry refuses this image without other credentials (`docker login`), or does not have it",
        (
            r"pull access denied",  # moby: distribution/errors.go, for 401 and 403 of a manifest
            r"unauthorized|authentication required",  # distribution: errcode.ErrorCodeUnauthorized
            r"denied: ",  # distribution: errcode.ErrorCodeDenied
            r"no basic auth credentials",  # distribution: registry/client/auth/session.go
            r"\b40[13]\b|Forbidden",
        ),
    ),
    Fault(
        "invalid reference",
        "the name of the image is malformed",
        (r"invalid reference format", r"invalid repository name", r"invalid tag format"),  # distribution/reference
    ),
    Fault(
        "credentials",
        "the credential helper named in Docker's config.json does not work",
        (
            r"Credentials store error",
        ),  # docker SDK: auth.py, AuthConfig.get_credential_store and _resolve_authconfig_credstore
    ),
    Fault(
        "disk full",
        "the Docker engine has no disk space left",
        (r"no space left on device", r"disk quota exceeded"),  # syscall.ENOSPC, syscall.EDQUOT
    ),
    Fault(
        "server error",
        "the registry answers with an error of its own",
        (
            r"unexpected (?:HTTP )?status[^:]*: 5\d\d",  # distribution: registry/client/errors.go; containerd: resolver
            r"error parsing HTTP 5\d\d response body",  # distribution: registry/client/errors.go
            r"\b50[0234] (?:Internal|Bad|Service|Gateway)",
            r"service unavailable|unknown: unknown error",  # distribution: errcode.ErrorCodeUnavailable, …Unknown
        ),
        attempts=5,
        host="in the end",
    ),
    Fault(
        "name service failing",
        "the name service does not answer for the registry's name",
        (
            r"server misbehaving",  # Go: net/net.go, errServerMisbehaving (SERVFAIL)
            r"Temporary failure in name resolution",  # glibc: EAI_AGAIN
            r"lookup [^ ]+(?: on [^ ]+)?: .*(?:i/o timeout|connection refused)",  # Go: a socket error in net.DNSError
        ),
        attempts=4,
        host="in the end",
    ),
    Fault(
        "no such host",
        "the registry's name cannot be resolved: no network, or no such registry",
        (r"no such host",),  # Go: net/net.go, errNoSuchHost
        host="at once",
    ),
    Fault(
        "unreachable",
        "nothing answers at the registry's address",
        # syscall.ECONNREFUSED, EHOSTUNREACH, ENETUNREACH
        (r"connection refused", r"no route to host", r"network is unreachable"),
        host="at once",
    ),
    Fault(
        "TLS handshake timeout",
        "the connection opens, but the encrypted handshake is never answered (a firewall or a proxy often does this)",
        (r"TLS handshake timeout",),  # Go: net/http/transport.go, tlsHandshakeTimeoutError
        attempts=5,
        host="in the end",
    ),
    Fault(
        "TLS",
        "the registry's certificate or encryption is not accepted",
        (
            r"x509: ",  # Go: crypto/x509/verify.go
            r"tls: ",  # Go: crypto/tls, alerts and "first record does not look like a TLS handshake"
            r"server gave HTTP response to HTTPS client",  # Go: net/http/client.go
            r"malformed HTTP response",  # Go: net/http: what a plain http attempt makes of a TLS port
        ),
        host="at once",
    ),
    Fault(
        "timeout",
        "the registry does not answer in time",
        (
            r"Client\.Timeout exceeded",  # Go: net/http/client.go
            r"context deadline exceeded",  # Go: context
            r"i/o timeout",  # Go: os.ErrDeadlineExceeded, net.Error
            r"request canceled",  # Go: net/http, "request canceled while waiting for connection"
        ),
        attempts=3,
        host="in the end",
    ),
    Fault(
        "connection lost",
        "the connection to the registry breaks off",
        (
            r"connection reset by peer",  # syscall.ECONNRESET
            r"broken pipe",  # syscall.EPIPE
            r"\bEOF\b",  # Go: io.EOF, io.ErrUnexpectedEOF
            r"server sent GOAWAY|stream error: stream ID",  # Go: http2
            r"use of closed network connection|server closed idle connection",  # Go: net, net/http
            r"verification failed|unexpected commit (?:digest|size)",  # moby: pull_v2.go; containerd: content/local
        ),
        attempts=5,
        host="in the end",
    ),
)

STUCK = Fault("stuck", "the engine reports no progress", (), attempts=3, host="in the end")
TIME_LIMIT = Fault("time limit", "the time limit is reached", (), host="in the end")
INTERRUPTED = Fault("interrupted", "the run was stopped", ())
UNKNOWN = Fault("other", "an error that is not known to be lasting", (), attempts=3)


def classify(text: str) -> Fault:
    """The fault that an error text of the engine stands for; `UNKNOWN` when no pattern matches."""
    for fault in FAULTS:
        if any(re.search(pattern, text) for pattern in fault.patterns):
            return fault
    return UNKNOWN


class EngineError(OpsError):
    """The Docker engine itself did not answer; no other source of images can help."""


class PullError(Exception):
    """An image did not come from a registry: which, why (`fault` and the engine's own `text`), after how many attempts.

    No attempt at all means that its host was found to be out of reach before, and `text` is empty then.
    """

    def __init__(self, reference: Reference, fault: Fault, text: str, attempts: int = 1) -> None:
        """Keep the parts; the message is made from them."""
        super().__init__(reference, fault, text, attempts)
        self.reference = reference
        self.fault = fault
        self.text = " ".join(text.split())
        self.attempts = attempts

    def __str__(self) -> str:
        """One line: the host, the fault, what it means, how often it was tried, and the engine's words."""
        times = {0: ", seen before and not tried again", 1: ""}.get(self.attempts, f", {self.attempts} attempts")
        words = f": {self.text}" if self.text else ""
        return f"{self.reference.host}: {self.fault.name} ({self.fault.meaning}{times}){words}"


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
