"""Every stack that a state knows, with Pulumi's own command line; no Docker engine answers here."""

from dataclasses import replace
from pathlib import Path

import docker
import pulumi
import pytest

from lab.cache import cache
from ops.deployments.overview import overview
from ops.stack import toolchain, update
from ops.stack.workspace import Workspace, open_stack


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A stack with a secret in its state."""
    for variable in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return open_stack(
        "dev",
        lambda: pulumi.export("secret", pulumi.Output.secret("s3cret")),
        tmp_path / "home",
        toolchain.pulumi(cache(), print),
        create=True,
        overrides={},
        find_ports=lambda *_: {},
    )


def nobody(host: str) -> docker.DockerClient:
    """An engine that does not answer."""
    raise OSError(host)


def test_a_stack_whose_engine_does_not_answer_is_listed_without_guesses(stack: Workspace) -> None:
    update.up(stack, None, "Merge branch 'x'")
    (now,) = overview(stack.backend, nobody)
    assert (now.name, now.known, now.answers, now.there) == ("dev", True, False, False)
    assert (now.containers, now.drift, now.problem) == (0, (), "")
    assert now.result == "not validated"
    assert now.made == now.deployed == now.seen
    assert now.deployed
    assert now.as_dict()["deployed"] == now.deployed.isoformat()


def test_a_stack_that_was_destroyed_begins_anew(stack: Workspace) -> None:
    update.up(stack, None, "")
    update.destroy(stack)
    (gone,) = overview(stack.backend, nobody)
    assert (gone.made, gone.deployed, gone.result) == (None, None, "not up")
    assert gone.seen
    update.up(stack, None, "")
    (again,) = overview(stack.backend, nobody)
    assert again.made == again.deployed
    assert again.made
    assert again.made >= gone.seen.replace(microsecond=0)


def test_a_state_with_another_passphrase_is_named_and_hides_no_other(stack: Workspace, tmp_path: Path) -> None:
    update.up(stack, None, "")
    wrong = tmp_path / "wrong"
    wrong.write_text("another")
    backend = replace(stack.backend, environment={**stack.environment, "PULUMI_CONFIG_PASSPHRASE_FILE": str(wrong)})
    (now,) = overview(backend, nobody)
    assert now.problem.startswith("wrong passphrase for stack dev")
    assert (now.known, now.answers) == (True, False)
    assert now.deployed
