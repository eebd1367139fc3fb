"""Every stack at a glance, the end of those that are stranded, and a plan that is refused; on the stack that is up."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from config.project import PROJECT
from tests.engine.deployment import Deployment

STRANDED = "pr-4523"
MINE, STRANGERS, DATA = f"{PROJECT}-{STRANDED}-prometheus", f"{STRANDED}-of-somebody-else", f"{PROJECT}-{STRANDED}-loki"


@pytest.fixture
def stranded(image_of: Callable[[str], str], engine: docker.DockerClient) -> Iterator[None]:
    """A container and a volume of a stack that no state knows, and somebody else's container that looks like it."""
    image = image_of("prometheus")
    ours = {"monitoring.project": PROJECT, "monitoring.stack": STRANDED}
    engine.containers.create(image, name=MINE, labels=ours, network_mode="none")
    engine.containers.create(image, name=STRANGERS, labels={"monitoring.stack": STRANDED}, network_mode="none")
    engine.volumes.create(DATA)
    yield
    for name in (MINE, STRANGERS):
        with suppress(docker.errors.NotFound):
            engine.containers.get(name).remove(force=True)
    with suppress(docker.errors.NotFound):
        engine.volumes.get(DATA).remove()


def test_a_stack_is_listed_as_it_was_deployed_and_as_it_is_now(stack: Deployment) -> None:
    """It was deployed from a copy that is no checkout, so its revision is not known."""
    (now,) = stack.listed()
    assert (now["result"], now["known"], now["drift"], now["host"]) == ("validated", True, [], "")
    assert now["revision"] == {"commit": "", "changed": False}
    newest = stack.history()[0]
    assert (newest["kind"], newest["result"], newest["validation"]) == ("update", "succeeded", "passed")
    shown = json.dumps(newest)
    assert "redisPassword" in shown
    assert stack.run("redis", ["cat", "/run/config/secrets/redis_password"]) not in shown
    out = stack.ops("history", "--revision", ok=False)
    assert "its revision is not known" in out


def test_a_plan_is_refused_where_the_engine_has_moved_since(stack: Deployment, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    stack.ops("preview", "--save-plan", plan)
    assert stack.run("redis", ["cat", "/run/config/secrets/redis_password"]) not in Path(plan).read_text()
    nginx = stack.container("nginx")
    nginx.pause()
    try:
        out = stack.ops("up", "--plan", plan, ok=False)
        assert "is stale, and nothing was touched" in out
        assert "new since: nginx: paused" in out
        assert stack.container("nginx").status == "paused"
    finally:
        nginx.unpause()


def test_a_sweep_removes_what_is_stranded_and_nothing_else(
    stack: Deployment, stranded: None, engine: docker.DockerClient
) -> None:
    """It asks first. A stack that is in time, and what has not our labels, stay."""
    before = stack.leftovers()
    options = ["--only", STRANDED, "--older-than"]
    assert "there is nothing to sweep" in stack.ops_on_all("sweep", *options, "1h", "--yes")
    refused = stack.ops_on_all("sweep", *options, "0s", ok=False)
    assert f"{STRANDED}: stranded: this state does not know it" in refused
    assert "run the same command with --yes" in refused
    assert engine.containers.get(MINE)

    assert f"swept {STRANDED}" in stack.ops_on_all("sweep", *options, "0s", "--yes")
    left = {each.name for each in engine.containers.list(all=True, ignore_removed=True)}
    assert MINE not in left
    assert STRANGERS in left
    assert DATA not in {each.name for each in engine.volumes.list()}
    assert stack.leftovers() == before
