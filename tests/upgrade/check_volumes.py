"""The files of each service that keeps data are read by the version after, and by the version before again.

Without a stack: one container at a time on one volume. It says what is compatible, and `check_upgrade` that `ops up`
makes use of it.
"""

import io
import json
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import docker
import httpx
import pytest

from config.loki import loki_files
from tests.engine.deployment import eventually
from tests.rules.reading import dev
from tests.upgrade.silences import silence

PATIENCE = 240


@dataclass(frozen=True)
class Trial:
    """How one service is run alone: its configuration, where its data lies, and how it is asked."""

    directory: str
    data: str
    port: int
    command: tuple[str, ...]
    files: dict[str, str]
    ready: str = "/-/ready"


PROMETHEUS = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ['localhost:9090']}]
"""
TRIALS = {
    "prometheus": Trial(
        "/etc/prometheus",
        "/prometheus",
        9090,
        ("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"),
        {"prometheus.yml": PROMETHEUS},
    ),
    "alertmanager": Trial(
        "/etc/alertmanager",
        "/alertmanager",
        9093,
        ("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
        {"alertmanager.yml": "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"},
    ),
    "loki": Trial("/etc/loki", "/loki", 3100, ("-config.file=/etc/loki/loki.yaml",), dict(loki_files(dev())), "/ready"),
}


@contextmanager
def running(engine: docker.DockerClient, image: str, trial: Trial, volume: str) -> Iterator[httpx.Client]:
    """A container of this image on the volume, and a client of it; stopped as `ops up` stops it."""
    container = engine.containers.create(
        image,
        list(trial.command),
        ports={f"{trial.port}/tcp": ("127.0.0.1", 0)},
        volumes={volume: {"bind": trial.data, "mode": "rw"}},
    )
    try:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, text in trial.files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))
        assert container.put_archive(trial.directory, archive.getvalue())
        container.start()
        container.reload()
        port = container.attrs["NetworkSettings"]["Ports"][f"{trial.port}/tcp"][0]["HostPort"]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            eventually(f"{image} is ready", lambda: client.get(trial.ready).is_success, PATIENCE)
            yield client
        container.stop(timeout=60)
    finally:
        container.remove(force=True, v=False)


def put_sample(client: httpx.Client) -> Callable[[httpx.Client], bool]:
    """Prometheus has scraped itself; gives what finds that sample."""
    query = {"query": 'prometheus_build_info{job="prometheus"}'}
    found: list[str] = []

    def scraped() -> bool:
        found[:] = [
            each["metric"]["version"] for each in client.get("/api/v1/query", params=query).json()["data"]["result"]
        ]
        return bool(found)

    eventually("a sample", scraped, PATIENCE)
    asked = {**query, "time": str(time.time())}

    def there(later: httpx.Client) -> bool:
        result = later.get("/api/v1/query", params=asked).json()["data"]["result"]
        return [each["metric"]["version"] for each in result] == found

    return there


def put_silence(client: httpx.Client) -> Callable[[httpx.Client], bool]:
    """A silence; gives what finds it, active."""
    number = client.post("/api/v2/silences", json=silence()).raise_for_status().json()["silenceID"]
    return lambda later: later.get(f"/api/v2/silence/{number}").json()["status"]["state"] == "active"


def put_line(client: httpx.Client) -> Callable[[httpx.Client], bool]:
    """A log line; gives what finds it."""
    line = {"stream": {"job": "upgrade-test"}, "values": [[str(time.time_ns()), "is to survive"]]}
    client.post(
        "/loki/api/v1/push", content=json.dumps({"streams": [line]}), headers={"Content-Type": "application/json"}
    ).raise_for_status()

    def there(later: httpx.Client) -> bool:
        asked = {"query": '{job="upgrade-test"}', "since": "3h"}
        streams = later.get("/loki/api/v1/query_range", params=asked).raise_for_status().json()["data"]["result"]
        return [text for stream in streams for _, text in stream["values"]] == ["is to survive"]

    return there


PUT = {"prometheus": put_sample, "alertmanager": put_silence, "loki": put_line}


@pytest.mark.parametrize("key", PUT)
def test_a_volume_is_read_by_the_version_after_and_by_the_one_before(
    key: str, engine: docker.DockerClient, image_of: Callable[[str], str], old_images: dict[str, str]
) -> None:
    volume = engine.volumes.create(f"upgrade-test-{uuid.uuid4().hex[:8]}")
    try:
        with running(engine, old_images[key], TRIALS[key], volume.name) as client:
            there = PUT[key](client)
        for image in (image_of(key), old_images[key]):
            with running(engine, image, TRIALS[key], volume.name) as client:
                eventually(f"{image} has it", partial(there, client), PATIENCE)
    finally:
        volume.remove(force=True)
