"""A line of each kind of source, as it is really written, and what must be found of it in Loki."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Sample:
    """Lines of a source, and the one entry that they become.

    `text` has `{iso}` and so on where a line has its time (see `times`); `stamp` is the time that the entry must have,
    with as many digits as the line has; empty where the source keeps Docker's.
    """

    source: str
    text: str
    level: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    stamp: str = ""


def times(now: datetime) -> dict[str, str]:
    """The moment `now` (UTC) as the programs write it."""
    milliseconds = now.microsecond // 1000
    return {
        "postgres": f"{now:%Y-%m-%d %H:%M:%S}.{milliseconds:03} UTC",
        "redis": f"{now:%d %b %Y %H:%M:%S}.{milliseconds:03}",
        "unix": f"{now.timestamp():.3f}",
        "combined": f"{now:%d/%b/%Y:%H:%M:%S} +0000",
        "nginx": f"{now:%Y/%m/%d %H:%M:%S}",
        "iso": f"{now:%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z",
        "unixms": f"{int(now.timestamp() * 1000)}",
        "clock": f"{now:%H:%M:%S}.{milliseconds:03}",
        "syslog": f"{now:%b %e %H:%M:%S}",
    }


_ACCESS = '"method":"GET","path":"/api/v1/prices/4711/0xdAC17F958D2ee523a2206206994597C13D831ec7?currency=usd"'
SAMPLES = (
    Sample(
        "postgres",
        "{postgres} [42] sqlstate=00000 user=app db=defillama app=demo-reports client=172.18.0.9 LOG:  "
        "duration: 512.345 ms  statement: SELECT count(*),\n\t  pg_sleep(0.5)\n"
        "\tFROM demo.protocols /* request_id=9f0c1a2b3c4d5e6f */",
        "info",
        {
            "severity": "LOG",
            "sqlstate": "00000",
            "user": "app",
            "database": "defillama",
            "application": "demo-reports",
            "client": "172.18.0.9",
            "duration_ms": "512.345",
            "request_id": "9f0c1a2b3c4d5e6f",
        },
        "milliseconds",
    ),
    Sample(
        "postgres",
        '{postgres} [43] sqlstate=42P01 user=app db=defillama app=psql client=10.0.0.1 ERROR:  relation "x" does not '
        "exist at character 15\n{postgres} [43] sqlstate=42P01 user=app db=defillama app=psql client=10.0.0.1 "
        "STATEMENT:  select *\n\tfrom x",
        "error",
        {
            "severity": "ERROR",
            "sqlstate": "42P01",
            "user": "app",
            "database": "defillama",
            "application": "psql",
            "client": "10.0.0.1",
        },
        "milliseconds",
    ),
    Sample(
        "postgres",
        "{postgres} [1] sqlstate=00000 user= db= app= client= LOG:  checkpoint starting: time",
        "info",
        {"severity": "LOG", "sqlstate": "00000"},
        "milliseconds",
    ),
    Sample(
        "postgres",
        "10.0.0.7 {postgres} [77] authenticator@postgres FATAL:  remaining connection slots are reserved",
        "fatal",
        {"severity": "FATAL", "user": "authenticator", "database": "postgres", "client": "10.0.0.7"},
        "milliseconds",
    ),
    Sample("redis", "1:M {redis} # Warning: no config file", "warn", {"role": "M"}, "milliseconds"),
    Sample("redis", "1:C {redis} * DB saved on disk", "info", {"role": "C"}, "milliseconds"),
    Sample(
        "nginx-access",
        '{{"time":"{unix}","client":"172.18.0.9",' + _ACCESS + ',"status":"503","seconds":"0.012","bytes":"420",'
        '"request_id":"9f0c","upstream":"172.18.0.5:8083"}}',
        "error",
        {
            "method": "GET",
            "route": "/api/v1/prices/:id/:id",
            "status": "503",
            "seconds": "0.012",
            "bytes": "420",
            "client": "172.18.0.9",
            "request_id": "9f0c",
            "upstream": "172.18.0.5:8083",
        },
        "milliseconds",
    ),
    Sample(
        "nginx-error",
        "{nginx} [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, client: "
        '172.18.0.9, server: , request: "GET /api/v1/users/12/alerts HTTP/1.1", upstream: "http://172.18.0.5:8083/"',
        "error",
        {"severity": "error", "client": "172.18.0.9", "method": "GET", "route": "/api/v1/users/:id/alerts"},
    ),
    Sample(
        "kong-access",
        '172.18.0.9 - - [{combined}] "POST /rest/v1/prices?select=price&id=eq.7 HTTP/1.1" 401 52 "-" "curl/8.5.0" '
        'kong_request_id: "d1c9b5"',
        "warn",
        {
            "method": "POST",
            "route": "/rest/v1/prices",
            "status": "401",
            "bytes": "52",
            "client": "172.18.0.9",
            "request_id": "d1c9b5",
        },
        "seconds",
    ),
    Sample(
        "kong-error",
        "{nginx} [warn] 1312#0: *7 [lua] balancer.lua:1: no peers, client: 10.0.0.2, server: kong, request: "
        '"GET /auth/v1/user HTTP/1.1"',
        "warn",
        {"severity": "warn", "client": "10.0.0.2", "method": "GET", "route": "/auth/v1/user"},
    ),
    Sample(
        "application",
        '{{"time": "{iso}", "level": "warn", "event": "report_finished", "request_id": "9f0c1a2b", "msg": "slow"}}',
        "warn",
        {"event": "report_finished", "request_id": "9f0c1a2b"},
        "milliseconds",
    ),
    Sample(
        "supabase-json",
        '{{"component":"api","level":"info","method":"POST","msg":"request completed","path":"/token","status":200,'
        '"request_id":"abc","time":"{iso}"}}',
        "info",
        {"method": "POST", "route": "/token", "status": "200", "request_id": "abc"},
        "milliseconds",
    ),
    Sample(
        "supabase-json",
        '{{"level":50,"time":{unixms},"pid":1,"reqId":"r-1","req":{{"method":"GET","url":"/object/charts/1234"}},'
        '"res":{{"statusCode":500}},"msg":"failed"}}',
        "error",
        {"method": "GET", "route": "/object/charts/:id", "status": "500", "request_id": "r-1"},
        "milliseconds",
    ),
    Sample(
        "supabase-rest",
        '172.18.0.4 - authenticator [{combined}] "GET /prices?id=eq.1 HTTP/1.1" 200 312 "" "node"',
        "info",
        {"method": "GET", "route": "/prices", "status": "200", "bytes": "312", "client": "172.18.0.4"},
        "seconds",
    ),
    Sample(
        "supabase-realtime",
        "{clock} project=realtime-dev request_id=F8k2 [error] ChannelRateLimitReached: Too many channels",
        "error",
        {"project": "realtime-dev", "request_id": "F8k2"},
    ),
    Sample("monitoring", "time={iso} level=WARN source=main.go:1 msg=careful", "warn"),
    Sample("monitoring", "level=error ts={iso} caller=x.go:1 msg=broken", "error"),
    Sample(
        "host",
        "{syslog} web-1 sshd[812]: Failed password for root from 10.1.2.3 port 22 ssh2",
        "",
        {"program": "sshd", "pid": "812"},
        "seconds",
    ),
    Sample(
        "host",
        "{iso} web-1 kernel: Out of memory: Killed process 4711 (postgres)",
        "",
        {"program": "kernel"},
        "milliseconds",
    ),
)
