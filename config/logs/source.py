"""What a source of log lines is: where its lines are found, and how a line is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Containers:
    """Lines of containers.

    `services` are those of this stack, by their label `monitoring.service`. `names` is a regular expression (RE2) of
    the whole names of containers that others started; a stack changes it with the key logContainers. `stream` is the
    one that is read; both where it is empty.
    """

    services: tuple[str, ...] = ()
    names: str = ""
    stream: Literal["stdout", "stderr", ""] = ""


@dataclass(frozen=True)
class Files:
    """Lines of files on the host, whose paths may hold `*` and `{a,b}`."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Journal:
    """The journal of the host's systemd, where the key hostJournal says that there is one."""


@dataclass(frozen=True)
class Timestamp:
    """The field with a line's time, and its forms: names that Alloy and Promtail know, or layouts of Go."""

    field: str
    formats: tuple[str, ...]


@dataclass(frozen=True)
class Level:
    """How the label `level` comes out of a field: level -> the values (in small letters) that mean it.

    A value that is not listed gives no label, so that the number of streams stays bounded.
    """

    field: str
    means: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class StatusLevel:
    """How the label `level` comes out of an HTTP status: 5xx is an error, 4xx a warning."""

    field: str


@dataclass(frozen=True)
class Source:
    """One source of log lines.

      what          what it is, for the handbook
      component     the component of spec and alerts, where the container does not say it
      entry         what the first line of an entry looks like; lines that do not are part of the entry before
      json          field -> JMESPath in a line of JSON
      logfmt        field -> its name in a line of `name=value`
      regexes       each adds the fields that it finds (groups by name); one that finds nothing adds none
      path          the field with an HTTP path, of which the field `route` is made: without its query and its ids
      level         where the label `level` comes from
      metadata      the fields that become structured metadata
      timestamp     the line's own time; None leaves that of Docker, which is exact where the line's is not
      silent_after  how long a healthy one writes nothing at most (as Prometheus writes durations): more is an alarm;
                    empty where it may well be silent

    A line is masked first and read then: nothing that is read of it can hold what was masked.
    """

    name: str
    what: str
    found: Containers | Files | Journal
    component: str
    entry: str = ""
    json: Mapping[str, str] = field(default_factory=dict)
    logfmt: Mapping[str, str] = field(default_factory=dict)
    regexes: tuple[str, ...] = ()
    path: str = ""
    level: Level | StatusLevel | None = None
    metadata: tuple[str, ...] = ()
    timestamp: Timestamp | None = None
    silent_after: str = ""
