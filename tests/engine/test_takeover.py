"""A stack whose state is lost while it runs: it is taken over or removed, after asking, and never said to be gone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ops.stack.engine import look
from tests.engine.deployment import Deployment


@pytest.fixture(scope="module")
def running(make_deployment: Callable[[str], Deployment]) -> Deployment:
    """A stack that is up; the tests of this file take it through its life in their order."""
    deployment = make_deployment("pr-4420")
    deployment.ops("up")
    return deployment


def _lose_state(stack: Deployment, directory: Path) -> None:
    """Another laptop, or a directory that was deleted: state, passphrase and generated passwords are gone."""
    stack.home = directory


def _psql(stack: Deployment, statement: str) -> str:
    return stack.run("postgres", ["psql", "-h", "/tmp", "-U", "postgres", "-d", "defillama", "-qtA", "-c", statement])


def test_up_takes_over_what_runs_and_keeps_its_data(running: Deployment, tmp_path: Path) -> None:
    """It asks first, and names what it found; the ports stay, and new passwords open the old data."""
    stack, ports = running, running.ports
    _psql(stack, "create table public.marker as select 'kept' as value")
    before = look(stack.engine, stack.stack)
    _lose_state(stack, tmp_path)

    assert "`up` asks, and then takes it over" in stack.ops("preview")
    out = stack.ops("up", ok=False)
    found = f"{len(before.containers)} containers, {len(before.networks)} networks, {len(before.volumes)} volumes"
    assert found in out
    assert "run the same command with --yes" in out
    assert look(stack.engine, stack.stack).containers.keys() == before.containers.keys()

    stack.ops("up", "--yes")
    assert stack.ports == ports
    assert look(stack.engine, stack.stack).volumes == before.volumes
    assert _psql(stack, "select value from public.marker") == "kept"
    stack.ops("preview", "--expect-no-changes")


def test_protected_data_is_said_to_remain_with_the_way_to_remove_it(running: Deployment) -> None:
    """Never "gone" alone. The same data is found by the next stack, and named there."""
    stack = running
    data = {name for name in look(stack.engine, stack.stack).volumes if not name.endswith("-config")}
    stack.ops("up", "-c", "protect=true")
    stack.ops("pulumi", "--", "state", "unprotect", "--all", "--yes")
    out = stack.ops("destroy", "-c", "protect=true")
    kept = look(stack.engine, stack.stack).volumes
    assert kept == data
    assert f"{stack.stack} is gone, but for its data" in out
    assert f"docker volume rm {' '.join(sorted(kept))}" in out
    assert stack.leftovers() == sorted(kept)
    assert f"there is data of an earlier {stack.stack}, which is taken over" in stack.ops("up")


def test_destroy_removes_what_the_state_does_not_know_after_asking(running: Deployment, tmp_path: Path) -> None:
    """Without an answer nothing is touched, and nothing is claimed."""
    stack = running
    _lose_state(stack, tmp_path)
    before = stack.leftovers()
    out = stack.ops("destroy", ok=False)
    assert "its data, too" in out
    assert "is gone" not in out
    assert stack.leftovers() == before
    assert f"{stack.stack} is gone" in stack.ops("destroy", "--yes")
    assert stack.leftovers() == []
    assert f"there is nothing of {stack.stack} here" in stack.ops("destroy")
