"""Loki, Alloy and Promtail as processes of a test, with the configuration of a stack."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from config.logs.alloy import alloy_files
from config.logs.pipeline import PUSH
from config.logs.promtail import promtail_files
from config.loki import RULES, loki_files, rule_files
from config.settings import Settings
from tests.processes import unused_port

# Seconds until a service has started, or a line has arrived.
PATIENCE = 60
# Seconds for an answer: of many lines, on a busy machine.
_ANSWER = 300
# Answers with labels, structured metadata and what a query read out of a line apart from each other.
_APART = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
# The blocks of Alloy's configuration that find lines; a test brings its own.
_FINDING = re.compile(
    r'^(discovery\.\w+|loki\.relabel|loki\.source\.\w+|local\.file_match) "\w+" \{\n.*?^\}\n', re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Entry:
    """One entry in Loki: its labels (as the agents gave them), its metadata, its time in nanoseconds, and the line."""

    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    time: int
    line: str


class Process:
    """A service that runs until it is stopped; it can be killed and started again."""

    def __init__(self, command: list[str], log: Path, ready: str) -> None:
        self._command = command
        self._log = log
        self._ready = ready
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("a") as output:
            return subprocess.Popen(self._command, stdout=output, stderr=output)

    def wait_until_ready(self) -> None:
        """Return when it answers; fail with its log when it does not."""
        wait_until(self._answers, self._log)

    def stop(self) -> None:
        """End it in good order."""
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again."""
        self.process = self._started()
        self.wait_until_ready()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-5000:]
        try:
            return httpx.get(self._ready, timeout=5).is_success
        except httpx.TransportError:
            return False


class Loki(Process):
    """Loki with the configuration and rules of a stack, in a directory of its own."""

    def __init__(self, stack: Settings, directory: Path, **changes: Any) -> None:
        """`changes`: section -> what is put into it."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        port = unused_port()
        self.url = f"http://127.0.0.1:{port}"
        self.rules = directory / "rules"
        write(self.rules, rule_files(stack))
        text = loki_files(stack)["loki.yaml"].replace(RULES, str(self.rules))
        text = re.sub(r"(?<![\w/])/loki(?=/|$)", str(directory / "data"), text, flags=re.MULTILINE)
        configuration = yaml.safe_load(text)
        configuration["server"] |= {
            "http_listen_port": port,
            "http_listen_address": "127.0.0.1",
            "grpc_listen_port": unused_port(),
            "grpc_listen_address": "127.0.0.1",
            # On a machine that is busy with other tests an answer may take long.
            "http_server_write_timeout": f"{_ANSWER}s",
        }
        configuration["ruler"]["remote_write"]["enabled"] = False
        for section, more in changes.items():
            configuration[section] = merged(configuration.get(section, {}), more)
        (directory / "loki.yaml").write_text(yaml.safe_dump(configuration))
        command = ["loki", f"-config.file={directory / 'loki.yaml'}"]
        super().__init__(command, directory / "loki.log", f"{self.url}/ready")

    def entries(self, query: str, limit: int = 5000, hours: float = 300 * 24) -> list[Entry]:
        """What a LogQL query finds in so many hours until now, oldest first."""
        now = time.time_ns()
        return self.between(query, now - int(min(hours, 700) * 3600e9), now + int(60e9), limit)

    def between(self, query: str, start: int, end: int, limit: int = 5000) -> list[Entry]:
        """What a LogQL query finds between two times in nanoseconds, the second not included, oldest first."""
        answer = httpx.get(
            f"{self.url}/loki/api/v1/query_range",
            params={
                "query": query,
                "limit": limit,
                "direction": "forward",
                "start": start,
                "end": end,
            },
            headers=_APART,
            timeout=_ANSWER,
        )
        assert answer.is_success, answer.text
        return [
            Entry(stream["stream"], found.get("structuredMetadata", {}), int(when), line)
            for stream in answer.json()["data"]["result"]
            for when, line, found in stream["values"]
        ]

    def value(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The value of each series of an instant query, by its labels."""
        answer = httpx.get(f"{self.url}/loki/api/v1/query", params={"query": query}, timeout=_ANSWER)
        assert answer.is_success, answer.text
        return {
            tuple(sorted(series["metric"].items())): float(series["value"][1])
            for series in answer.json()["data"]["result"]
        }

    def count(self, selector: str, within: str = "1h") -> int:
        """How many entries a selector finds within a time."""
        return int(sum(self.value(f"sum(count_over_time({selector}[{within}]))").values()))

    def alerts(self) -> set[tuple[str, str]]:
        """Name and service of the alerts that fire."""
        found = httpx.get(f"{self.url}/prometheus/api/v1/alerts", timeout=30).json()["data"]["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("service", ""))
            for alert in found
            if alert["state"] == "firing"
        }


@contextmanager
def loki(stack: Settings, directory: Path, **changes: Any) -> Iterator[Loki]:
    """A running Loki."""
    made = Loki(stack, directory, **changes)
    try:
        made.wait_until_ready()
        yield made
    finally:
        made.kill()


class Alloy(Process):
    """Alloy with the stages of a stack over files: each has the labels that its lines would have of a container."""

    def __init__(self, stack: Settings, directory: Path, push: str, files: Mapping[Path, Mapping[str, str]]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        text = _FINDING.sub("", alloy_files(stack)["config.alloy"]).replace(PUSH, push)
        targets = ", ".join(
            "{" + ", ".join(f'{key} = "{value}"' for key, value in {"__path__": path, **labels}.items()) + "}"
            for path, labels in files.items()
        )
        text += f"""
local.file_match "test" {{
    path_targets = [{targets}]
    sync_period  = "1s"
}}

loki.source.file "test" {{
    targets    = local.file_match.test.targets
    forward_to = [loki.process.lines.receiver]
}}
"""
        (directory / "config.alloy").write_text(text)
        port = unused_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            *("alloy", "run", f"--server.http.listen-addr=127.0.0.1:{port}"),
            *(f"--storage.path={directory / 'data'}", str(directory / "config.alloy")),
        ]
        super().__init__(command, directory / "alloy.log", f"{self.url}/-/ready")


class Promtail(Process):
    """Promtail with the stages of a stack over files."""

    def __init__(self, stack: Settings, directory: Path, push: str, files: Mapping[Path, Mapping[str, str]]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        configuration = yaml.safe_load(promtail_files(stack)["promtail.yaml"])
        port = unused_port()
        configuration["server"] |= {"http_listen_port": port, "http_listen_address": "127.0.0.1"}
        configuration["positions"]["filename"] = str(directory / "positions.yaml")
        configuration["clients"][0]["url"] = push
        (stages,) = {yaml.safe_dump(job["pipeline_stages"]) for job in configuration["scrape_configs"]}
        static = [{"targets": ["localhost"], "labels": {**labels, "__path__": str(p)}} for p, labels in files.items()]
        configuration["scrape_configs"] = [
            {"job_name": "test", "static_configs": static, "pipeline_stages": yaml.safe_load(stages)}
        ]
        (directory / "promtail.yaml").write_text(yaml.safe_dump(configuration))
        command = ["promtail", f"-config.file={directory / 'promtail.yaml'}"]
        super().__init__(command, directory / "promtail.log", f"http://127.0.0.1:{port}/ready")


@contextmanager
def shipping(agent: Alloy | Promtail) -> Iterator[None]:
    """While this lasts, the agent ships."""
    try:
        agent.wait_until_ready()
        yield
    finally:
        if agent.process.poll() is None:
            agent.stop()


def merged(section: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A section of a configuration with more put into it, on every level."""
    found = dict(section)
    for key, value in more.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = merged(found[key], value) if both else value
    return found


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Write files by their path relative to `directory`."""
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)


def wait_until(condition: Callable[[], object], log: Path | None = None, seconds: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail, with the log, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-5000:] if log else "in vain"
        time.sleep(0.2)
