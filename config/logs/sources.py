"""Every source of log lines, described once.

The agents' configurations, the table in docs/logs.md, the tests and the validation are made from this.
"""

from config.logs.source import Containers, Files, Journal, Level, Source, StatusLevel, Timestamp
from config.settings import Settings

_RFC3339 = ("RFC3339Nano",)
# What programs call their levels.
_WORDS = Level(
    "severity",
    {
        "debug": ("debug", "trace"),
        "info": ("info", "notice", "log"),
        "warn": ("warn", "warning"),
        "error": ("error", "err"),
        "fatal": ("fatal", "panic", "crit", "critical", "alert", "emerg", "emergency", "dpanic"),
    },
)
# Nginx's error log, and Kong's, which is one; its times are whole seconds, so Docker's are kept.
_NGINX_ERROR = r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?P<severity>\w+)\] (?P<pid>\d+)#"
_NGINX_CLIENT = r", client: (?P<client>[^,]+), server: (?P<server>[^,]*), request: \"(?P<method>[A-Z]+) (?P<path>\S+)"
# The combined format of Nginx, with what Kong 3 adds at its end.
_COMBINED = (
    r"^(?P<client>\S+) - \S+ \[(?P<time>[^\]]+)\] \"(?P<method>[A-Z]+) (?P<path>\S+) [^\"]*\" (?P<status>\d{3}) "
    r"(?P<bytes>\d+)(?:.* kong_request_id: \"(?P<request_id>\w+)\")?"
)


def _requests(name: str, program: str, found: Containers, *further: str) -> Source:
    """A log of requests in the combined format; `further`: metadata beyond that of every such log."""
    return Source(
        name,
        f"{program}: one line a request",
        found,
        "api_gateway",
        regexes=(_COMBINED,),
        path="path",
        level=StatusLevel("status"),
        metadata=("method", "route", "status", "bytes", "client", *further),
        timestamp=Timestamp("time", ("02/Jan/2006:15:04:05 -0700",)),
    )


def _errors(name: str, program: str, found: Containers) -> Source:
    """A log of errors as Nginx writes it."""
    return Source(
        name,
        f"{program}: what went wrong",
        found,
        "api_gateway",
        regexes=(_NGINX_ERROR, _NGINX_CLIENT),
        path="path",
        level=_WORDS,
        metadata=("severity", "client", "method", "route"),
    )


SOURCES = (
    Source(
        "postgres",
        "PostgreSQL: errors, slow statements, checkpoints",
        Containers(("postgres", "postgres-replica"), names=r"supabase[-_]db([-_].*)?|(.*[-_])?postgres(ql)?"),
        "database",
        # An error and its DETAIL, HINT and STATEMENT are one entry, as PostgreSQL writes them in one go.
        entry=r"^(\S+ )?\d{4}-\d\d-\d\d [0-9:.]+ \w+ \[\d+\] .*?"
        r"(DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC):  ",
        regexes=(
            # The prefix of demo/postgres/postgresql.conf, and Supabase's: '%h %m [%p] %q%u@%d '.
            r"^(?:(?P<client>\S+) )?(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \w+) \[(?P<pid>\d+)\] "
            r"(?:(?P<user>[^@\s]+)@(?P<database>\S+) )?"
            r"(?:sqlstate=\w+ user=.*? )?(?P<severity>DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC):  ",
            r"\] sqlstate=(?P<sqlstate>\w{5}) user=(?P<user>.*?) db=(?P<database>.*?) app=(?P<application>.*?) "
            r"client=(?P<client>\S*) [A-Z]+[1-5]?:  ",
            r"LOG:  duration: (?P<duration_ms>[0-9.]+) ms",
            r"/\* request_id=(?P<request_id>\w+)",
        ),
        level=Level(
            "severity",
            {
                "debug": ("debug", "debug1", "debug2", "debug3", "debug4", "debug5"),
                "info": ("info", "notice", "log"),
                "warn": ("warning",),
                "error": ("error",),
                "fatal": ("fatal", "panic"),
            },
        ),
        metadata=("severity", "sqlstate", "database", "user", "application", "client", "duration_ms", "request_id"),
        timestamp=Timestamp("time", ("2006-01-02 15:04:05.000 MST",)),
        silent_after="15m",
    ),
    Source(
        "redis",
        "Redis: snapshots, replication, warnings",
        Containers(("redis",), names=r"(.*[-_])?redis"),
        "redis",
        regexes=(
            r"^(?P<pid>\d+):(?P<role>[XCSM]) (?P<time>\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) (?P<severity>[.*#-]) ",
        ),
        level=Level("severity", {"debug": (".",), "info": ("-", "*"), "warn": ("#",)}),
        metadata=("role",),
        timestamp=Timestamp("time", ("02 Jan 2006 15:04:05.000",)),
    ),
    Source(
        "nginx-access",
        "Nginx: one line a request",
        Containers(("nginx",), names=r"(.*[-_])?nginx", stream="stdout"),
        "api_gateway",
        json={
            name: name
            for name in ("time", "method", "path", "status", "seconds", "bytes", "client", "request_id", "upstream")
        },
        path="path",
        level=StatusLevel("status"),
        metadata=("method", "route", "status", "seconds", "bytes", "client", "request_id", "upstream"),
        timestamp=Timestamp("time", ("Unix",)),
        silent_after="5m",
    ),
    _errors("nginx-error", "Nginx", Containers(("nginx",), names=r"(.*[-_])?nginx", stream="stderr")),
    _requests("kong-access", "Kong", Containers(names=r"(.*[-_])?kong([-_]\d+)?", stream="stdout"), "request_id"),
    _errors("kong-error", "Kong", Containers(names=r"(.*[-_])?kong([-_]\d+)?", stream="stderr")),
    Source(
        "application",
        "The application's JSON",
        Containers(("demo",), names=r"(.*[-_])?(app|websocket)([-_]\d+)?"),
        "business",
        json={"severity": "level", "time": "time", "event": "event", "request_id": "request_id"},
        level=_WORDS,
        metadata=("event", "request_id"),
        timestamp=Timestamp("time", _RFC3339),
        silent_after="5m",
    ),
    Source(
        "supabase-json",
        "Supabase's Auth, Storage and other services that write JSON",
        Containers(names=r"supabase[-_](auth|storage|meta|analytics|pooler|edge-functions)([-_]\d+)?"),
        "api_gateway",
        json={
            "severity": "level",
            "time": "time",
            "method": "method || req.method",
            "path": "path || req.url",
            "status": "status || res.statusCode",
            "request_id": "request_id || reqId",
        },
        path="path",
        # Storage and Meta write the numbers of the library pino.
        level=Level(
            "severity",
            {
                "debug": ("debug", "trace", "10", "20"),
                "info": ("info", "30"),
                "warn": ("warn", "warning", "40"),
                "error": ("error", "50"),
                "fatal": ("fatal", "panic", "60"),
            },
        ),
        metadata=("method", "route", "status", "request_id"),
        timestamp=Timestamp("time", ("RFC3339Nano", "UnixMs")),
    ),
    _requests("supabase-rest", "Supabase's PostgREST", Containers(names=r"supabase[-_]rest([-_]\d+)?")),
    Source(
        "supabase-realtime",
        "Supabase's Realtime",
        Containers(names=r"(.*[-_.])?realtime([-_]\d+)?"),
        "realtime",
        regexes=(
            r"^\d\d:\d\d:\d\d\.\d{3} (?:project=(?P<project>\S+) )?(?:.*?request_id=(?P<request_id>\S+) )?"
            r".*?\[(?P<severity>debug|info|notice|warning|error|critical)\]",
        ),
        level=_WORDS,
        metadata=("project", "request_id"),
    ),
    Source(
        "monitoring",
        "The stack's own services",
        Containers(
            (
                *("prometheus", "alertmanager", "loki", "grafana", "alloy", "promtail", "node-exporter"),
                *("postgres-exporter", "redis-exporter", "blackbox-exporter"),
            )
        ),
        "monitoring",
        logfmt={"severity": "level"},
        level=_WORDS,
    ),
    Source(
        "host",
        "The host's own log files, where it has them",
        Files(("/var/log/{syslog,messages,auth.log,kern.log}",)),
        "system",
        regexes=(
            r"^(?P<time>\d{4}-\S+|\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ (?P<program>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ",
        ),
        metadata=("program", "pid"),
        timestamp=Timestamp("time", ("RFC3339Nano", "Jan _2 15:04:05")),
    ),
    Source(
        "journal",
        "The host's journal, where hostJournal says that there is one",
        Journal(),
        "system",
        level=_WORDS,
        metadata=("program", "pid", "severity"),
    ),
)


def sources(settings: Settings) -> tuple[Source, ...]:
    """The sources of a stack: without the journal where there is none."""
    return tuple(source for source in SOURCES if settings.host_journal or not isinstance(source.found, Journal))
