"""What a value may look like: one type a kind, with one message for what is wrong.

A value that is checked here cannot fail later inside a container, where nobody looks for it.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from config.durations import seconds

# Prometheus takes the units from the longest to the shortest, each once.
_DURATION = re.compile(r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")
_WHOLE_DAYS = re.compile(r"\d+[dw]")
# Ten years, without their leap days.
_LONGEST = "3650d"
_MATCHER = r'\s*[a-z_]+\s*(=|!=|=~|!~)\s*"[^"\\]*"\s*'
_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+")
# Underscores are not for host names, but containers have them, such as supabase_db.
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*")
# What Docker allows (moby, daemon/names), and none.
_DOCKER_NAME = r"([a-zA-Z0-9][a-zA-Z0-9_.-]*)?"
# It becomes part of a connection string.
_DATABASE = re.compile(r"[A-Za-z0-9_.$-]+")
# The longest name that PostgreSQL keeps (NAMEDATALEN - 1).
_POSTGRES_NAME_BYTES = 63
# Prometheus' regular expressions (RE2) have neither of these; Python's have.
_NOT_RE2 = re.compile(r"\(\?(?:[=!>]|<[=!]|P=|\()|\\[1-9]")


def matching(form: str, wrong: str) -> AfterValidator:
    """A check that the whole of a value has this `form`, a regular expression; `wrong` says what it must be."""

    def check(value: str) -> str:
        if not re.fullmatch(form, value):
            raise ValueError(wrong)
        return value

    return AfterValidator(check)


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value) or not re.search("[1-9]", value):
        raise ValueError("must be a duration such as 10s, 5m, 1h30m or 30d, and not zero")
    return value


def _between(least: str, most: str, why: str) -> Callable[[str], str]:
    """A check that a duration is neither shorter nor longer than these two."""

    def check(value: str) -> str:
        if not seconds(least) <= seconds(value) <= seconds(most):
            raise ValueError(f"must be between {least} and {most}: {why}")
        return value

    return check


def _days(value: str) -> str:
    if not _WHOLE_DAYS.fullmatch(value) or not re.search("[1-9]", value):
        raise ValueError("must be whole days or weeks, such as 30d or 4w, and not zero")
    if seconds(value) > seconds(_LONGEST):
        raise ValueError(f"must be at most {_LONGEST}")
    return value


def _text(value: str) -> str:
    """No control character: one is never meant, and a line break at the end is what pasting leaves."""
    if value != value.rstrip("\r\n"):
        raise ValueError("ends with a line break, as a pasted value often does; give it without")
    if found := next((character for character in value if not character.isprintable()), ""):
        raise ValueError(f"contains the character {found!r}, which cannot be printed; give it without")
    return value


def _secret(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        _text(value.get_secret_value())
    return value


def _ip_address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("must be an IP address, such as 127.0.0.1, or 0.0.0.0 for every one of the host") from None
    return value


def _is_host(value: str) -> bool:
    """Whether it is a host's name, an IPv4 address, or an IPv6 address in brackets."""
    if value.startswith("[") and value.endswith("]"):
        try:
            return bool(ipaddress.IPv6Address(value[1:-1]))
        except ValueError:
            return False
    return len(value) <= 253 and bool(_NAME.fullmatch(value))


def _host(value: str) -> str:
    if value and not _is_host(value):
        raise ValueError(
            "must be the name or address of a host alone, such as db.internal, 10.0.0.5 or [fd00::5]; "
            "the port has a key of its own"
        )
    return value


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not _is_host(host) or not re.fullmatch(r"\d{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("must be host:port, such as kong:8100")
    return value


def _email(value: str) -> str:
    if value and not _EMAIL.fullmatch(_text(value)):
        raise ValueError("must be an email address")
    return value


def _url(value: str) -> str:
    if value and web_address(value).username is not None:
        raise ValueError("must not have a user or password in it: it would be kept in clear")
    return value


def _secret_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        web_address(_text(value.get_secret_value()))
    return value


def web_address(value: str) -> SplitResult:
    """The parts of an address of the web; raises ValueError where it is none."""
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", value):
        raise ValueError("must be an address that starts with http:// or https://")
    return _with_host(value)


def _with_host(value: str) -> SplitResult:
    """The parts of an address with a host and, maybe, a port; raises ValueError where one of them is wrong."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("has a port or an address that is none; a port is between 1 and 65535") from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    if port == 0 or not _is_host(host):
        raise ValueError("must name a host, such as grafana.example, and a port between 1 and 65535 where it has one")
    return parts


def _docker_host(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if value and scheme == "unix" and rest.startswith("/"):
        return value
    if value and (scheme not in ("ssh", "tcp", "http", "https") or not rest):
        raise ValueError("must be an address such as ssh://user@host, tcp://host:2376 or unix:///var/run/docker.sock")
    if value and _with_host(value).password is not None:
        raise ValueError("must not have a password in it: it would be kept in clear; use a key of ssh")
    return value


def _registry(value: str) -> str:
    """A registry's host and, maybe, a path. Docker takes a first part without dot, port or `localhost` for a path."""
    host, _, path = value.rstrip("/").partition("/")
    name, separator, port = host.rpartition(":")
    right = _is_host(name if separator else host) and (not separator or port.isdigit())
    is_registry = "." in host or bool(separator) or host == "localhost"
    if value and not (right and is_registry and re.fullmatch(r"([a-z0-9._-]+(/[a-z0-9._-]+)*)?", path)):
        raise ValueError("must be a registry and, maybe, a path, without a scheme, such as mirror.example/hub")
    return value


def _file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("must be the path of a file that exists (`ops bundle save` makes one)")
    return value


def _user(value: str) -> str:
    """A user's name; it stands before the ':' of `user:password`."""
    if not value or ":" in value:
        raise ValueError("must be a user's name, without ':'")
    return _text(value)


def _postgres_name(value: str) -> str:
    if not value or len(value.encode()) > _POSTGRES_NAME_BYTES:
        raise ValueError(f"must have 1 to {_POSTGRES_NAME_BYTES} bytes: PostgreSQL cuts a longer name")
    return _text(value)


def _database(value: str) -> str:
    if not _DATABASE.fullmatch(value):
        raise ValueError("must be the name of a database: letters, digits, '_', '.', '$' and '-'")
    return _postgres_name(value)


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    if _NOT_RE2.search(value):
        raise ValueError("must be a regular expression of Prometheus (RE2): it has no look-ahead and no back reference")
    return _text(value)


Text = Annotated[str, AfterValidator(_text)]
Secret = Annotated[SecretStr | None, AfterValidator(_secret)]
Duration = Annotated[str, AfterValidator(_duration)]
Interval = Annotated[
    Duration, AfterValidator(_between("1s", "1m", "rules look at windows of five minutes, which need several samples"))
]
Retention = Annotated[Duration, AfterValidator(_between("2h", "10y", "Prometheus keeps blocks of two hours"))]
StreamSelector = Annotated[
    str,
    matching(
        rf"\{{{_MATCHER}(,{_MATCHER})*\}}",
        'must be a selector of labels as LogQL has it, such as {service="nginx",level="info"}',
    ),
]
Days = Annotated[str, AfterValidator(_days)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
HostName = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
Email = Annotated[str, AfterValidator(_email)]
Url = Annotated[str, AfterValidator(_url)]
Endpoint = Annotated[Url, matching(r"https?://.+", "must be an address such as https://api.example/health")]
SecretUrl = Annotated[SecretStr | None, AfterValidator(_secret_url)]
Regex = Annotated[str, AfterValidator(_regex)]
DockerHost = Annotated[str, AfterValidator(_docker_host)]
DockerNetwork = Annotated[
    str, matching(_DOCKER_NAME, "must be the name of a Docker network: letters, digits, '_', '.' and '-'")
]
Registry = Annotated[str, AfterValidator(_registry)]
File = Annotated[str, AfterValidator(_file)]
User = Annotated[str, AfterValidator(_user)]
PostgresUser = Annotated[str, AfterValidator(_postgres_name)]
Database = Annotated[str, AfterValidator(_database)]
Port = Annotated[int, Field(ge=1, le=65535)]
# Docker Engine refuses less; more than a terabyte is a slip of the hand.
Megabytes = Annotated[int, Field(ge=6, le=1_048_576)]
# A day.
Seconds = Annotated[int, Field(ge=1, le=86_400)]
