"""One `up` makes everything run again, whatever somebody's hand did to it; a preview says so beforehand."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ops.stack.engine import look
from ops.stack.healing import differences
from ops.stack.state import State
from tests.engine.deployment import Deployment, eventually

# Services whose containers a test breaks; those that keep data are named where it is looked for.
_KEPT = ("postgres", "loki", "redis", "postgres-replica")


@pytest.fixture
def mended(stack: Deployment) -> Iterator[Deployment]:
    """The shared stack, to be broken; whole again afterwards, also where a test fails."""
    yield stack
    stack.ops("up")


def _states(stack: Deployment) -> dict[str, tuple[str, str]]:
    """Id -> name and state of each of the stack's containers."""
    return {
        container.id: (container.name, container.state)
        for container in look(stack.engine, stack.stack).containers.values()
    }


def _all_healthy(stack: Deployment) -> bool:
    containers = look(stack.engine, stack.stack).containers.values()
    return all(container.healthy for container in containers if container.state != "exited")


def test_what_was_stopped_paused_removed_renamed_or_disconnected_runs_again(mended: Deployment) -> None:
    """The preview says each in words and mends nothing; `up` makes anew only what is gone; data is kept."""
    stack = mended
    before = _states(stack)
    aliases = stack.container("demo").attrs["NetworkSettings"]["Networks"][stack.name("core")]["Aliases"]
    # First: without a Prometheus, Loki, which writes there what it records of lines, was seen to take longer to stop
    # than Docker waits.
    stack.container("loki").stop()
    stack.container("prometheus").remove(force=True)
    stack.container("alertmanager-config").remove(force=True)
    stack.container("redis").kill()
    stack.container("alertmanager").pause()
    stack.container("cadvisor").rename("somebody-elses-name")
    stack.engine.networks.get(stack.name("core")).disconnect(stack.container("demo"))
    broken = _states(stack)
    expected = [
        "prometheus: removed by hand, will be made anew; its data is kept",
        "alertmanager-config: removed by hand, will be made anew",
        "loki: stopped by hand (Exited (0)",
        "redis: stopped by hand (Exited (137)",
        "alertmanager: paused; will be put right",
        "cadvisor: renamed to somebody-elses-name; will be put right",
        f"demo: disconnected from {stack.name('core')}; will be put right",
    ]

    shown = stack.ops("preview", "--expect-no-changes", ok=False)
    assert [words for words in expected if words not in shown] == []
    assert _states(stack) == broken, "a preview mends nothing"

    out = stack.ops("up")
    assert [words for words in expected if words not in out] == []
    after = _states(stack)
    made_anew = {name for container, (name, _) in after.items() if container not in before}
    assert made_anew == {stack.name("prometheus"), stack.name("alertmanager-config")}
    assert sorted(after.values()) == sorted(before.values())
    networks = stack.container("demo").attrs["NetworkSettings"]["Networks"]
    assert set(networks[stack.name("core")]["Aliases"]) >= set(aliases) - {stack.container("demo").short_id}
    shown = stack.ops("preview", "--expect-no-changes")
    assert "by hand" not in shown


def test_what_every_container_lost_with_the_engine_runs_again(mended: Deployment) -> None:
    """As after a crash of the engine: all are stopped, and Docker starts none of them again."""
    stack = mended
    running = [container.id for container in look(stack.engine, stack.stack).containers.values() if container.runs]
    for container in running:
        stack.engine.api.kill(container)
    stack.ops("up")
    assert {container for container, (_, state) in _states(stack).items() if state == "running"} == set(running)


def test_a_volume_and_a_network_that_were_removed_are_made_anew_with_all_that_needs_them(mended: Deployment) -> None:
    """What was in the volume is gone, and is said to be; the data of everything else is kept."""
    stack = mended
    interfaces = ("prometheus", "alertmanager", "loki")
    kept = {service: stack.started(service)[0] for service in _KEPT if service not in interfaces}
    stack.container("alloy").remove(force=True)
    stack.engine.volumes.get(stack.name("alloy")).remove()
    edge = stack.engine.networks.get(stack.name("edge"))
    edge.reload()
    for container in edge.containers:
        container.stop()
    edge.remove()
    expected = [
        f"volume {stack.name('alloy')}: removed by hand, will be made anew, empty",
        "alloy: removed by hand, will be made anew; its data is gone with its volume",
        f"network {stack.name('edge')}: removed by hand, will be made anew",
        *(f"{name}: has lost network {stack.name('edge')}, will be made anew; its data is kept" for name in interfaces),
    ]
    out = stack.ops("up")
    assert [words for words in expected if words not in out] == []
    assert {service: stack.started(service)[0] for service in kept} == kept
    eventually("everything is healthy", lambda: _all_healthy(stack))


def test_a_healthy_stack_costs_one_question(stack: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every container is in its place, its volumes and networks are: they are not asked for."""
    state = State(json.loads(stack.ops("pulumi", "--", "stack", "export")))
    asked: list[str] = []
    send = stack.engine.api.send

    def counted(request: Any, **more: Any) -> Any:
        asked.append(request.url)
        return send(request, **more)

    monkeypatch.setattr(stack.engine.api, "send", counted)
    assert differences(state, look(stack.engine, stack.stack)) == []
    assert len(asked) == 1, asked


def test_checks_that_cannot_pass_fail_at_once(mended: Deployment) -> None:
    """A container that is not there, or is frozen, is not waited for."""
    stack = mended
    stack.container("node-exporter").remove(force=True)
    out = stack.ops("validate", "--wait", "600", ok=False)
    assert f"there is no container {stack.name('node-exporter')}" in out
    assert "waiting for" not in out


def test_a_refresh_sees_what_is_gone(mended: Deployment) -> None:
    """The preview shows it then as Pulumi does, and `up` makes it anew."""
    stack = mended
    stack.container("redis-exporter").remove(force=True)
    stack.ops("refresh")
    assert "container redis-exporter made" in stack.ops("preview")
    stack.ops("up")
    assert stack.container("redis-exporter").status == "running"
