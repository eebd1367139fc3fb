"""A state that a team shares, on a server that speaks S3: kept, locked, unlocked, and moved to from a local one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pulumi
import pytest

from config.project import ROOT
from lab.cache import cache
from ops.deployments.record import history
from ops.errors import OpsError
from ops.stack import toolchain, update
from ops.stack.state import State
from ops.stack.workspace import Workspace, open_stack
from tests.processes import wait_for
from tests.s3 import bucket

# An update that never ends, in a process of its own, to be killed.
_ENDLESS = """
import sys, time
from pathlib import Path
from lab.cache import cache
from ops.stack import toolchain, update
from ops.stack.workspace import open_stack
command = toolchain.pulumi(cache(), print)
home = Path(sys.argv[1])
def endless():
    print("locked", flush=True)
    time.sleep(600)
stack = open_stack("dev", endless, home, command, create=True, overrides={}, find_ports=lambda *_: {})
update.up(stack, None, "")
"""


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a team's state."""
    with bucket(tmp_path / "s3") as environment:
        yield {**environment, "PULUMI_CONFIG_PASSPHRASE": "shared"}


def _opened(home: Path) -> Workspace:
    return open_stack(
        "dev",
        lambda: pulumi.export("secret", pulumi.Output.secret("s3cret")),
        home,
        toolchain.pulumi(cache(), print),
        create=True,
        overrides={},
        find_ports=lambda *_: {},
    )


def _use(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)


def test_what_one_machine_deploys_another_one_sees(
    team: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state, its history, and the secrets in it, which are encrypted at the server."""
    _use(team, monkeypatch)
    update.up(_opened(tmp_path / "one"), None, "from one")
    other = _opened(tmp_path / "other")
    assert update.up(other, None, "from the other") == {"same": 1}
    assert [each.kind for each in history(other.backend, "dev")] == ["update", "update"]
    assert list(other.backend.stacks()) == ["dev"]
    kept = [path.read_text() for path in (tmp_path / "s3").rglob("*.json")]
    assert kept
    assert not any("s3cret" in text for text in kept)
    update.destroy(other)
    assert State.of(_opened(tmp_path / "one")).resources == []


def test_a_lock_of_a_killed_update_names_its_owner_and_the_way_out(
    team: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(team, monkeypatch)
    stack = _opened(tmp_path / "one")
    command = [sys.executable, "-c", _ENDLESS, str(tmp_path / "one")]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    locks = tmp_path / "s3/data/states/.pulumi/locks"
    wait_for(lambda: any(locks.rglob("*.json")), patience=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)
    with pytest.raises(OpsError) as caught:
        update.up(stack, None, "")
    said = str(caught.value)
    assert f"stack dev is locked by root@{os.uname().nodename} (pid " in said
    assert "if it was killed, run: ops pulumi --stack dev -- cancel --yes" in said
    assert stack.pulumi("cancel", "--yes", capture_output=True).returncode == 0
    update.up(stack, None, "")


def test_a_local_state_moves_to_the_teams(
    team: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/deployments.md tells it: the passphrase first, then the state."""
    home, file = tmp_path / "home", tmp_path / "dev.json"
    for variable in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
    local = _opened(home)
    update.up(local, None, "")
    before = State.of(local)
    local.backend.ask("dev", "stack", "export", "--file", str(file))
    assert "s3cret" not in file.read_text()

    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", (home / "passphrase").read_text())
    _use({key: value for key, value in team.items() if key != "PULUMI_CONFIG_PASSPHRASE"}, monkeypatch)
    moved = _opened(home)
    assert State.of(moved).resources == []
    moved.backend.ask("dev", "stack", "import", "--file", str(file))
    after = State.of(moved)
    assert after.ids() == before.ids()
    assert after.outputs == before.outputs
    assert update.up(moved, None, "") == {"same": 1}
