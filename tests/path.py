"""`python -m tests.path`: the way from a fault to the receiver, measured step by step, ten times for each priority.

Prometheus and Alertmanager run as processes with a stack's own configuration and intervals. Ten Redis servers for each
priority are an exporter of the test's own, which breaks one after the other at moments spread over the intervals. The
waits of the rules are those of a drill (10 to 30 s). It takes about five minutes.
"""

import random
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from config.prometheus import FLAGS, prometheus_files
from tests.processes import Process, alertmanager_process
from tests.routing.stacks import told
from tests.services import Authority, services

TIMES = 10
# Priority -> an alert on Redis that a gauge sets off.
ALERTS = {"P1": "RedisDown", "P2": "RedisPersistenceFailing", "P3": "RedisMemoryFragmented"}


@dataclass
class Server:
    """A Redis server as its exporter tells it; times are seconds of the clock, 0 before they come."""

    priority: str
    name: str
    broken: float = 0
    scraped: float = 0

    def metrics(self) -> str:
        """What the exporter serves."""
        bad = bool(self.broken)
        if bad and not self.scraped:
            self.scraped = time.time()
        up, saved = not (bad and self.priority == "P1"), not (bad and self.priority == "P2")
        resident = 900_000_000 if bad and self.priority == "P3" else 300_000_000
        return (
            f"redis_up {int(up)}\nredis_rdb_last_bgsave_status {int(saved)}\nredis_commands_processed_total 1\n"
            f"redis_memory_used_bytes 250000000\nredis_memory_used_rss_bytes {resident}\n"
        )


@dataclass
class Steps:
    """Seconds of each step, by priority, one entry a fault."""

    scrape: list[float] = field(default_factory=list)
    rule: list[float] = field(default_factory=list)
    group: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def exporter(servers: dict[str, Server]) -> ThreadingHTTPServer:
    """An HTTP server with the metrics of each server at /<its name>."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
            body = servers[self.path.strip("/")].metrics().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def measure() -> dict[str, Steps]:
    """Break each server once, and follow its alert to Slack."""
    servers = {f"{p.lower()}-{n}": Server(p, f"{p.lower()}-{n}") for p in ALERTS for n in range(TIMES)}
    authority = Authority()
    source = exporter(servers)
    with services(authority.server("127.0.0.1")) as channels, tempfile.TemporaryDirectory() as scratch:
        stack = told(channels, authority, drill="true")
        with alertmanager_process(stack, Path(scratch) / "alertmanager", {"group_wait": ""}) as alerts:
            directory = Path(scratch) / "prometheus"
            for name, text in prometheus_files(stack).items():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                (directory / name).write_text(text)
            configuration = yaml.safe_load((directory / "prometheus.yml").read_text())
            (redis,) = [job for job in configuration["scrape_configs"] if job["job_name"] == "redis"]
            redis["static_configs"] = [_target(source.server_port, name) for name in servers]
            configuration["scrape_configs"] = [redis]
            address = alerts.url.removeprefix("http://")
            configuration["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [address]}]}]
            (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
            options = [f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
            process = Process(["prometheus", *options, *FLAGS], directory / "log")
            time.sleep(40)
            for server in random.sample(list(servers.values()), len(servers)):
                server.broken = time.time()
                time.sleep(random.uniform(1, 4))
            received = _received(channels, servers, process)
            process.stop()
    source.shutdown()
    return received


def _target(port: int, name: str) -> dict[str, Any]:
    labels = {"instance": name, "component": "redis", "service": "redis", "__metrics_path__": f"/{name}"}
    return {"targets": [f"127.0.0.1:{port}"], "labels": labels}


def _received(channels: Any, servers: dict[str, Server], prometheus: Process) -> dict[str, Steps]:
    found = {priority: Steps() for priority in ALERTS}
    fired: dict[str, float] = {}
    left = dict(servers)
    deadline = time.time() + 300
    while left and time.time() < deadline:
        time.sleep(1)
        for name, server in list(left.items()):
            posts = [post for post in channels.posts if post.path == "/slack" and f"on {name} " in str(post.body)]
            if not posts:
                continue
            begin = ALERTS[server.priority]
            query = (
                f'min_over_time(timestamp(ALERTS{{alertname="{begin}",instance="{name}",alertstate="firing"}})[10m:1s])'
            )
            result = httpx.get(f"{prometheus.url}/api/v1/query", params={"query": query}).json()["data"]["result"]
            fired[name] = float(result[0]["value"][1])
            steps = found[server.priority]
            steps.scrape.append(server.scraped - server.broken)
            steps.rule.append(fired[name] - server.scraped)
            steps.group.append(posts[0].at - fired[name])
            steps.whole.append(posts[0].at - server.broken)
            del left[name]
    assert not left, f"never received: {', '.join(left)}"
    return found


if __name__ == "__main__":
    print("| priority | scrape | rule | notification | whole | at most |\n|---|---|---|---|---|---|")
    for priority, steps in measure().items():
        means = (statistics.mean(times) for times in (steps.scrape, steps.rule, steps.group, steps.whole))
        print(
            f"| {priority} | {' | '.join(f'{mean:.1f} s' for mean in means)} | {max(steps.whole):.1f} s |", flush=True
        )
