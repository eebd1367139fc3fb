"""Lines of containers: found through the proxy, with their labels, all of them, each once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import docker
import httpx
import pytest

from config.example import demo_settings
from config.settings import Settings
from tests.logs.containers import (
    ContainerAlloy,
    ContainerPromtail,
    Proxy,
    numbers,
    proxied,
    wait_for_numbers,
    writing,
)
from tests.logs.processes import Loki, loki, wait_until

STACK = "pr-4488"
# More than a query may give elsewhere: what is found is counted.
_LIMITS = {"max_entries_limit_per_query": 200_000}
_AWAY_SECONDS = 15
# A line every 20 ms.
_STEADY = 'n=0; while [ $n -lt {count} ]; do n=$((n+1)); echo "line $n"; sleep 0.02; done; sleep 60'


def stack() -> Settings:
    """A demo stack with a name of its own: its containers alone are found."""
    return demo_settings(STACK)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Loki]:
    with loki(stack(), tmp_path / "loki", limits_config=_LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxied(tmp_path_factory.mktemp("proxy")) as made:
        yield made


@pytest.fixture
def alloy(store: Loki, proxy: Proxy, tmp_path: Path) -> Iterator[ContainerAlloy]:
    made = ContainerAlloy(stack(), tmp_path / "alloy", store, proxy, tmp_path / "positions")
    made.wait_until_ready()
    yield made
    if made.process.poll() is None:
        made.stop()


@pytest.fixture(scope="module")
def shell(image_of: Callable[[str], str]) -> str:
    """An image with a shell."""
    return image_of("prometheus")


@pytest.fixture
def found_through(store: Loki, engine: docker.DockerClient, shell: str) -> Callable[..., Counter[int]]:
    """What is found of the `count` lines of a container where these steps are taken after `after` of them."""

    def found(name: str, *steps: Callable[[], None], after: int, count: int) -> Counter[int]:
        with writing(engine, shell, STACK, name, _STEADY.format(count=count)):
            wait_until(lambda: len(numbers(store, name)) > after)
            for step in steps:
                step()
            return wait_for_numbers(store, name, count)

    return found


# The proxy


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/_ping", True),
        ("HEAD", "/_ping", True),
        ("GET", "/version", True),
        ("GET", "/v1.41/info", True),
        ("GET", "/v1.41/containers/json?all=1", True),
        ("GET", "/networks", True),
        ("GET", "/v1.41/events?since=1&until=2", True),
        ("GET", "/v1.41/images/json", False),
        ("GET", "/v1.41/containers/x/archive?path=/etc/shadow", False),
        ("GET", "/v1.41/containers/x/export", False),
        ("GET", "/v1.41/containers/x/top", False),
        ("GET", "/v1.41/volumes", False),
        ("GET", "/v1.41/secrets", False),
        ("GET", "/v1.41/containers/x/logs/../archive", False),
        ("GET", "/v1.41/containers/%2e%2e/json", False),
        ("GET", "//v1.41/containers/json", False),
        ("POST", "/v1.41/containers/create", False),
        ("POST", "/v1.41/containers/x/exec", False),
        ("POST", "/v1.41/containers/json", False),
        ("POST", "/v1.41/containers/x/kill", False),
        ("PUT", "/v1.41/containers/x/archive?path=/", False),
        ("DELETE", "/v1.41/containers/x", False),
    ],
)
def test_docker_may_be_looked_at_and_nothing_else(proxy: Proxy, method: str, path: str, allowed: bool) -> None:
    answer = httpx.request(method, proxy.url + path)
    assert (answer.status_code != 403) == allowed, answer.text
    if allowed:
        assert answer.is_success


def test_a_container_can_be_inspected_and_its_lines_read(proxy: Proxy, engine: docker.DockerClient, shell: str) -> None:
    with writing(engine, shell, STACK, "inspected", "echo line 1; sleep 60") as container:
        assert httpx.get(f"{proxy.url}/containers/{container.name}/json").json()["Id"] == container.id
        wait_until(
            lambda: "line 1" in httpx.get(f"{proxy.url}/containers/{container.name}/logs?stdout=1").text, seconds=10
        )


# The lines


def test_a_container_has_its_labels_and_stays_one_stream(
    store: Loki, alloy: ContainerAlloy, engine: docker.DockerClient, shell: str
) -> None:
    with (
        writing(engine, shell, STACK, "demo", 'echo \'{"level":"warn","event":"e","msg":"line 1"}\'; sleep 60'),
        writing(engine, shell, "pr-4489", "other", "echo line 1; sleep 60"),
    ):
        wait_until(lambda: store.count('{service="demo"}') == 1, seconds=30)
        (entry,) = store.entries('{service="demo"}')
        labels = {key: value for key, value in entry.labels.items() if key != "service_name"}
        assert labels == {
            "stack": STACK,
            "service": "demo",
            "component": "business",
            "container": f"monitoring-{STACK}-demo",
            "stream": "stdout",
            "level": "warn",
        }
        assert (entry.metadata["source"], entry.metadata["event"]) == ("application", "e")
        # Another stack's are not ours.
        assert store.count('{service="other"}') == 0


def test_a_container_that_writes_ten_thousand_lines_in_its_last_second_loses_none(
    store: Loki, alloy: ContainerAlloy, engine: docker.DockerClient, shell: str
) -> None:
    script = 'sleep 8; n=0; while [ $n -lt 10000 ]; do n=$((n+1)); echo "line $n"; done'
    with writing(engine, shell, STACK, "last", script) as container:
        container.wait()
        found = wait_for_numbers(store, "last", 10_000)
    assert (len(found), max(found.values())) == (10_000, 1)


def test_nothing_is_lost_or_doubled_when_the_agent_is_replaced(
    alloy: ContainerAlloy, found_through: Callable[..., Counter[int]]
) -> None:
    found = found_through("replaced", alloy.stop, alloy.start, after=200, count=1000)
    assert (len(found), max(found.values())) == (1000, 1)


def test_what_is_lost_when_the_agent_is_killed_is_less_than_a_second(
    alloy: ContainerAlloy, found_through: Callable[..., Counter[int]]
) -> None:
    found = found_through("killed", alloy.kill, alloy.start, after=300, count=1500)
    # What was read and not yet sent is lost only if the positions were written in that very moment.
    assert len(found) > 1500 - 50
    assert max(found.values()) == 1


def test_nothing_is_lost_while_loki_is_away(
    store: Loki, alloy: ContainerAlloy, found_through: Callable[..., Counter[int]]
) -> None:
    pause = partial(time.sleep, _AWAY_SECONDS)
    found = found_through("away", store.stop, pause, store.start, after=100, count=1500)
    assert (len(found), max(found.values())) == (1500, 1)


@pytest.mark.promtail
def test_each_agent_goes_on_where_the_other_stopped(
    store: Loki, proxy: Proxy, engine: docker.DockerClient, shell: str, promtail: None, tmp_path: Path
) -> None:
    positions = tmp_path / "positions"
    with writing(engine, shell, STACK, "moved", _STEADY.format(count=2000)):
        for turn, kind in enumerate((ContainerPromtail, ContainerAlloy, ContainerPromtail, ContainerAlloy), start=1):
            agent = kind(stack(), tmp_path / kind.__name__, store, proxy, positions)
            try:
                agent.wait_until_ready()
                wait_for_numbers(store, "moved", 250 * turn if turn < 4 else 2000)
            finally:
                agent.stop()
        found = numbers(store, "moved")
    assert found == Counter(range(1, 2001))
    log = (tmp_path / "ContainerAlloy/alloy.log").read_text()
    assert log.count("went on from Promtail's positions of 1 containers") == 2
