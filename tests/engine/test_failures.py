"""What goes wrong: bad settings, an update that was killed, a lock that was left; each with one clear message."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.deployment import Deployment, eventually


@pytest.fixture(scope="module")
def fresh(make_deployment: Callable[[str], Deployment]) -> Iterator[Deployment]:
    """A stack that is never brought up by the tests that share it."""
    deployment = make_deployment("pr-4410")
    yield deployment
    assert deployment.leftovers() == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-c", "prometheusPort=99999"], "monitoring:prometheusPort is '99999'"),
        (["-c", "scrapeInterval=10 seconds"], "monitoring:scrapeInterval is '10 seconds'"),
        (["-c", "promethusPort=9090"], "monitoring:promethusPort is not a key that this project knows"),
        (["-c", 'imageOverrides={"promethus":"x:1"}'], "monitoring:imageOverrides.promethus"),
        (["-c", 'thresholds={"cpu":1}'], "monitoring:thresholds.cpu"),
        (["-c", "demo=false"], "monitoring:postgresHost is missing"),
        (["-c", "dockerHost=tcp://127.0.0.1:1"], "no Docker engine answers at tcp://127.0.0.1:1"),
        (["-c", "dockerNetwork=nowhere"], "monitoring:dockerNetwork 'nowhere' does not exist"),
        (["-c", "prometheusPort"], "must be KEY=VALUE"),
    ],
    ids=lambda value: value[1].split("=")[0] if isinstance(value, list) else "",
)
def test_a_wrong_setting_has_one_clear_message_and_makes_nothing(
    fresh: Deployment, arguments: list[str], complaint: str
) -> None:
    """The message names the key and the value; nothing is created."""
    out = fresh.ops("up", *arguments, ok=False)
    assert complaint in out
    assert "Traceback" not in out
    assert fresh.leftovers() == []


@pytest.mark.parametrize("name", ["Dev", "pr 1", "ümlaut", "-x", "a" * 60])
def test_a_stack_name_that_cannot_name_a_container(fresh: Deployment, name: str) -> None:
    """Refused before Pulumi is asked."""
    result = subprocess.run(
        [*fresh.command("up")[:4], f"--stack={name}"],
        cwd=fresh.root,
        env=fresh.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert f"stack name {name!r} cannot become part of a container name" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_names_its_key_and_its_owner(fresh: Deployment) -> None:
    """A port of another program is refused before anything is made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        out = fresh.ops("up", "-c", f"lokiPort={port}", ok=False)
    assert f"monitoring:lokiPort {port} is taken by another program" in out
    assert fresh.leftovers() == []


def test_a_malformed_environment_variable_is_named(fresh: Deployment) -> None:
    """Where a value comes from is part of the message."""
    out = fresh.ops("up", ok=False, environment={"SMTP_PORT": "smtp"})
    assert "monitoring:smtpPort is 'smtp' (from environment variable SMTP_PORT)" in out


def test_a_wrong_passphrase_is_said_so(make_deployment: Callable[[str], Deployment], tmp_path: Path) -> None:
    """With another passphrase than the stack was made with, nothing is touched."""
    deployment = make_deployment("pr-4411")
    deployment.home = tmp_path / "home"
    deployment.ops("preview")
    out = deployment.ops("up", ok=False, environment={"PULUMI_CONFIG_PASSPHRASE": "wrong"})
    assert "wrong passphrase for stack pr-4411" in out
    assert "Traceback" not in out
    assert deployment.leftovers() == []


def test_an_update_that_was_killed_half_way_can_be_run_again_and_destroyed(
    make_deployment: Callable[[str], Deployment],
) -> None:
    """SIGKILL of `ops` and of Pulumi in the middle: the next destroy leaves nothing; an `up` before it would go on."""
    deployment = make_deployment("pr-4412")
    process = subprocess.Popen(
        deployment.command("up"),
        cwd=deployment.root,
        env=deployment.variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually("the first containers are there", lambda: len(_containers(deployment)) >= 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(_containers(deployment)) >= 3
    deployment.ops("destroy")
    assert deployment.leftovers() == []


def test_an_update_that_failed_half_way_goes_on_when_it_is_run_again(
    make_deployment: Callable[[str], Deployment],
) -> None:
    """An image that has no such program fails one service; without it, the same command ends well; destroy is clean."""
    deployment = make_deployment("pr-4413")
    bystander = deployment.engine.volumes.create("somebody-elses-data")
    try:
        images = [image.tags[0] for image in deployment.engine.images.list() if image.tags]
        wrong = next(tag for tag in images if "node-exporter" in tag)
        overrides = json.dumps({"redis-exporter": wrong})
        out = deployment.ops("up", "-c", f"imageOverrides={overrides}", ok=False)
        assert "redis-exporter" in out
        assert "Traceback" not in out
        deployment.ops("up")
        deployment.ops("destroy")
        assert deployment.leftovers() == []
        assert deployment.engine.volumes.get("somebody-elses-data")
    finally:
        bystander.remove()


def _containers(deployment: Deployment) -> list[str]:
    prefix = deployment.name("")
    names = [str(container.name) for container in deployment.engine.containers.list(all=True, ignore_removed=True)]
    return [name for name in names if name.startswith(prefix)]
