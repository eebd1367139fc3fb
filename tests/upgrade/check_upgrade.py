"""A stack with data comes up with the versions before, is upgraded, and goes back: what is still there, and what stood.

The file is not called test_…, so that only `make upgrade-test`, which names it, runs it.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from images.catalogue import catalogue
from tests.engine.deployment import Deployment, eventually
from tests.upgrade.conftest import KEEPING_DATA, UNCHANGED
from tests.upgrade.silences import silence

READY = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "loki": "/ready"}
# Seconds that a service may be away. Docker stops it within its grace period (30 s), pulls nothing, and starts it.
BOUND = 120


@dataclass
class Absence:
    """Asks services whether they are ready, until it is stopped; then knows how many seconds each was not."""

    deployment: Deployment
    seconds: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Absence":
        self._threads = [threading.Thread(target=self._watch, args=pair) for pair in READY.items()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, service: str, path: str) -> None:
        away, last = 0.0, time.monotonic()
        with httpx.Client(base_url=self.deployment.url(service), timeout=2) as client:
            while not self._over.is_set():
                try:
                    ready = client.get(path).is_success
                except httpx.HTTPError:
                    ready = False
                now = time.monotonic()
                away += 0 if ready else now - last
                last = now
                time.sleep(0.1)
        self.seconds[service] = round(away, 1)


@dataclass
class Stack:
    """The stack, and what was put into it before the upgrade."""

    deployment: Deployment
    old: dict[str, str]
    silence: str = ""
    sampled: float = 0

    def up(self, overrides: dict[str, str]) -> dict[str, float]:
        """Bring it up with these images in place of the pinned ones; gives the seconds that each service was away."""
        with Absence(self.deployment) as absence:
            self.deployment.ops("up", *Stack.with_images(overrides))
        return absence.seconds

    def preview(self, overrides: dict[str, str]) -> str:
        """What `up` would change."""
        return self.deployment.ops("preview", *Stack.with_images(overrides))

    def versions(self) -> dict[str, str]:
        """What each service says that it is."""
        found = {}
        for service in KEEPING_DATA:
            text = httpx.get(self.deployment.url(service) + "/metrics", timeout=30).raise_for_status().text
            said = re.search(rf'^{service}_build_info{{.*[{{,]version="v?([^"]+)"', text, re.MULTILINE)
            found[service] = said[1] if said else ""
        return found

    def put_data(self) -> None:
        """A silence and a log line; and Prometheus has its own samples."""
        answer = httpx.post(self.deployment.url("alertmanager") + "/api/v2/silences", json=silence())
        self.silence = answer.raise_for_status().json()["silenceID"]
        line = {"stream": {"job": "upgrade-test"}, "values": [[str(time.time_ns()), "this line is to survive"]]}
        httpx.post(self.deployment.url("loki") + "/loki/api/v1/push", json={"streams": [line]}).raise_for_status()
        self.sampled = time.time() - 15

    def check_data(self) -> None:
        """All of it is there."""
        found = self._sample()
        assert found == [self._version_before()], "the sample from before"
        kept = httpx.get(f"{self.deployment.url('alertmanager')}/api/v2/silence/{self.silence}").json()
        assert (kept["comment"], kept["status"]["state"]) == ("is to survive", "active")
        eventually("the log line is found", lambda: self._lines() == ["this line is to survive"], 60)

    def _version_before(self) -> str:
        return self.old["prometheus"].partition(":")[2].partition("-")[0].removeprefix("v")

    def _sample(self) -> list[str]:
        """The versions of Prometheus as it knew itself before the upgrade."""
        asked = {"query": 'prometheus_build_info{job="prometheus"}', "time": str(self.sampled)}
        answer = httpx.get(self.deployment.url("prometheus") + "/api/v1/query", params=asked, timeout=30)
        return [series["metric"]["version"] for series in answer.raise_for_status().json()["data"]["result"]]

    def _lines(self) -> list[str]:
        asked = {"query": '{job="upgrade-test"}', "since": "3h"}
        answer = httpx.get(self.deployment.url("loki") + "/loki/api/v1/query_range", params=asked, timeout=30)
        streams = answer.raise_for_status().json()["data"]["result"]
        return [line for stream in streams for _, line in stream["values"]]

    @staticmethod
    def with_images(overrides: dict[str, str]) -> list[str]:
        """The options of a command that takes these images in place of the pinned ones."""
        images = UNCHANGED | overrides
        return ["-c", f"imageOverrides={json.dumps(images)}"] if images else []


@pytest.fixture(scope="module")
def stack(make_deployment: Callable[[str], Deployment], old_images: dict[str, str]) -> Iterator[Stack]:
    """A stack with the versions before, and data in it."""
    found = Stack(make_deployment("pr-4430"), old_images)
    found.deployment.ops("up", *Stack.with_images(old_images))
    eventually("Prometheus knows itself", lambda: _knows_itself(found), 120)
    found.put_data()
    yield found
    found.deployment.ops("destroy")


def _knows_itself(stack: Stack) -> bool:
    stack.sampled = time.time() - 15
    return bool(stack._sample())


def _pinned() -> dict[str, str]:
    return {key: catalogue()[key].reference.tag.removeprefix("v") for key in KEEPING_DATA}


def _before(stack: Stack) -> dict[str, str]:
    return {key: reference.partition(":")[2].removeprefix("v").split("-")[0] for key, reference in stack.old.items()}


def test_the_preview_says_which_services_restart(stack: Stack) -> None:
    assert stack.versions() == _before(stack)
    shown = stack.preview({})
    for service in KEEPING_DATA:
        assert f"container {service} replaced because of image " in shown, shown
    for service in ("node-exporter", "cadvisor", "postgres", "redis"):
        assert f"container {service} replaced" not in shown, shown


def test_data_survives_the_upgrade(stack: Stack) -> None:
    away = stack.up({})
    print(f"seconds without each service, from {_before(stack)} to {_pinned()}: {away}")
    assert stack.versions() == _pinned()
    stack.check_data()
    # It was away at all: the figures are not those of a poller that sees nothing.
    assert all(0 < seconds < BOUND for seconds in away.values()), away


def test_data_survives_the_way_back(stack: Stack) -> None:
    away = stack.up(stack.old)
    print(f"seconds without each service on the way back: {away}")
    assert stack.versions() == _before(stack)
    stack.check_data()
    assert all(0 < seconds < BOUND for seconds in away.values()), away
