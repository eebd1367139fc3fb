"""A stack's workspace: its passphrase, its file, its generated secrets; with Pulumi's own command line."""

import shutil
import stat
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.automation import PulumiCommand

from config.keys import environment_variables
from config.project import ROOT
from lab.cache import cache
from ops.errors import OpsError
from ops.stack import stack_file, toolchain, workspace
from ops.stack.stack_file import stack_configuration
from ops.stack.workspace import Workspace, _passphrase, environment, open_stack

GENERATED = ["postgresPassword", "redisPassword", "realtimeMetricsSecret", "grafanaAdminPassword"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where state and secrets are kept."""
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's own files, to be changed."""
    directory = tmp_path / "project"
    directory.mkdir()
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, directory)
    monkeypatch.setattr(workspace, "ROOT", directory)
    monkeypatch.setattr(stack_file, "ROOT", directory)
    return directory


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own settings."""
    pulumis = ["PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"]
    for variable in [*environment_variables().values(), *pulumis, "PULUMI_SECRETS_PROVIDER"]:
        monkeypatch.delenv(variable, raising=False)


# The passphrase


def test_a_passphrase_is_generated_once_and_for_its_owner_alone(home: Path) -> None:
    path = _passphrase(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    passphrase = path.read_text()
    assert len(passphrase) >= 40
    assert _passphrase(home).read_text() == passphrase
    assert [file.name for file in home.iterdir()] == ["passphrase"]


def test_commands_that_start_together_share_one_passphrase(home: Path) -> None:
    home.mkdir()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: _passphrase(home).read_text(), range(32)))
    assert len(found) == 1
    assert [file.name for file in home.iterdir()] == ["passphrase"]


def test_the_state_is_local_unless_a_backend_is_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment(home)["PULUMI_BACKEND_URL"] == f"file://{home}/state"
    assert environment(home)["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(home / "passphrase")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    assert environment(home)["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(home)


# The stack's file


def merged(name: str, local: dict[str, Any] | None, directory: Path) -> dict[str, Any]:
    """The file of a stack whose local one has this content."""
    path = directory / f"local.{name}.yaml"
    if local is not None:
        path.write_text(yaml.safe_dump(local))
    return stack_configuration(name, path)


def test_a_pull_requests_stack_is_a_copy_of_dev(project: Path) -> None:
    dev = yaml.safe_load((project / "Pulumi.dev.yaml").read_text())
    assert merged("pr-12", None, project) == dev
    assert merged("dev", None, project) == dev


def test_a_pull_requests_own_file_comes_before_that_of_dev(project: Path) -> None:
    (project / "Pulumi.pr-12.yaml").write_text("config: {monitoring:demo: true, monitoring:logAgent: alloy}")
    assert merged("pr-12", None, project)["config"]["monitoring:logAgent"] == "alloy"


def test_a_stack_without_a_file_is_refused_with_the_way_out(project: Path) -> None:
    with pytest.raises(OpsError, match=r"there is no Pulumi\.staging\.yaml; make it, as a copy of") as caught:
        merged("staging", None, project)
    assert caught.value.code == 2


def test_local_secrets_are_kept_and_everything_else_is_the_repositorys(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: {monitoring:demo: true, monitoring:lokiPort: 3200}")
    local = {
        "encryptionsalt": "v1:salt",
        "config": {
            "monitoring:redisPassword": {"secure": "v1:abc"},
            "monitoring:lokiPort": 3999,
            "monitoring:gone": "x",
        },
    }
    assert merged("dev", local, project) == {
        "encryptionsalt": "v1:salt",
        "config": {
            "monitoring:demo": True,
            "monitoring:lokiPort": 3200,
            "monitoring:redisPassword": {"secure": "v1:abc"},
        },
    }


def test_a_secret_of_the_repositorys_file_comes_before_a_generated_one(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(
        "{encryptionsalt: 'v1:salt', config: {monitoring:redisPassword: {secure: 'v1:theirs'}}}"
    )
    local = {
        "encryptionsalt": "v1:salt",
        "config": {
            "monitoring:redisPassword": {"secure": "v1:ours"},
            "monitoring:grafanaAdminPassword": {"secure": "v1:g"},
        },
    }
    config = merged("dev", local, project)["config"]
    assert config["monitoring:redisPassword"] == {"secure": "v1:theirs"}
    # Encrypted in the same way, so it can be read, and does not change with every command.
    assert config["monitoring:grafanaAdminPassword"] == {"secure": "v1:g"}


def test_local_secrets_that_could_not_be_read_any_more_are_dropped(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("{encryptionsalt: 'v1:new', config: {monitoring:demo: true}}")
    local = {"encryptionsalt": "v1:old", "config": {"monitoring:redisPassword": {"secure": "v1:ours"}}}
    assert merged("dev", local, project) == {"encryptionsalt": "v1:new", "config": {"monitoring:demo": True}}


# With Pulumi


@pytest.fixture(scope="module")
def pulumi() -> PulumiCommand:
    """Pulumi's command line, as `ops` finds it."""
    return toolchain.pulumi(cache(), print)


def opened(name: str, home: Path, pulumi: PulumiCommand, create: bool = True, **overrides: str) -> Workspace:
    """The stack of that name, with an empty program."""
    return open_stack(name, lambda: None, home, pulumi, create=create, overrides=overrides, find_ports=found_ports)


def found_ports(_host: str, services: Collection[str], reserved: Collection[int]) -> dict[str, int]:
    """The first ports from 20000 on that are not reserved."""
    free = (port for port in range(20000, 30000) if port not in reserved)
    return {service: next(free) for service in services}


def test_the_secrets_of_a_demo_are_generated_once_and_stored_encrypted(
    home: Path, project: Path, pulumi: PulumiCommand
) -> None:
    first = opened("pr-1", home, pulumi)
    secrets = {key: first.configuration[key] for key in GENERATED}
    assert len(set(secrets.values())) == len(GENERATED)
    assert min(len(secret) for secret in secrets.values()) >= 32
    stored = (home / "stacks/Pulumi.pr-1.yaml").read_text()
    assert [key for key, secret in secrets.items() if secret in stored] == []
    assert {key: opened("pr-1", home, pulumi).configuration[key] for key in GENERATED} == secrets
    assert first.settings().backend.postgres_password


def test_a_secret_in_clear_is_refused_by_ops_as_well(home: Path, project: Path, pulumi: PulumiCommand) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: {monitoring:demo: true, monitoring:redisPassword: in-clear}")
    with pytest.raises(OpsError) as caught:
        opened("dev", home, pulumi).settings()
    assert str(caught.value) == (
        "monitoring:redisPassword is a secret stored in clear in the stack's file; "
        "store it with: pulumi config set --secret monitoring:redisPassword"
    )
    assert caught.value.code == 2


def test_what_is_given_for_one_command_is_not_stored(home: Path, project: Path, pulumi: PulumiCommand) -> None:
    stack = opened("pr-2", home, pulumi, lokiPort="3999", redisPassword="for-now")
    assert stack.settings().ports.loki == 3999
    assert stack.configuration["redisPassword"] == "for-now"
    assert "3999" not in (home / "stacks/Pulumi.pr-2.yaml").read_text()
    assert opened("pr-2", home, pulumi).settings().ports.loki == 20003


def test_a_wrong_passphrase_and_an_absent_stack_have_one_clear_message(
    home: Path, project: Path, pulumi: PulumiCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened("pr-3", home, pulumi)
    with pytest.raises(OpsError, match="^there is no stack pr-4 in this state; make it with: ops up --stack pr-4$"):
        opened("pr-4", home, pulumi, create=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    with pytest.raises(OpsError, match="^wrong passphrase for stack pr-3: PULUMI_CONFIG_PASSPHRASE or "):
        opened("pr-3", home, pulumi)


def test_a_stack_name_that_cannot_become_a_container_name_is_refused_before_anything_is_written(
    home: Path, project: Path, pulumi: PulumiCommand
) -> None:
    with pytest.raises(OpsError, match="^stack name 'My Stack' cannot become part of a container name"):
        opened("My Stack", home, pulumi)
    assert not home.exists()
