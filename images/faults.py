"""What the errors of a pull mean, and which are worth another attempt.

The engine does the pulling, so all that is left of an error is its text. `FAULTS` is the one place that knows these
texts.
"""

import re
from dataclasses import dataclass

from images.reference import Reference


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
        (
            r"no such host",  # Go: net/net.go, errNoSuchHost
            r"Name or service not known",  # glibc: EAI_NONAME
        ),
        host="at once",
    ),
    Fault(
        "unreachable",
        "nothing answers at the registry's address",
        # syscall.ECONNREFUSED, EHOSTUNREACH, ENETUNREACH; with a capital where it is not the engine that asks
        (r"[Cc]onnection refused", r"[Nn]o route to host", r"[Nn]etwork is unreachable"),
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
