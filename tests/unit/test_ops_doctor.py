"""`ops doctor`: each thing that can lack is said by one check, with the way to get it, and nothing is changed."""

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import docker
import pytest
from typer.testing import CliRunner

from config.project import ROOT
from ops.cli import app
from ops.doctor import doctor, engine, machine, network, state
from ops.validation.check import Check
from ops.validation.report import Report
from tests.unit.test_graph import settings_of


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read of this machine's own home, and no network is asked."""
    monkeypatch.setenv("MONITORING_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network, "_TIMEOUT", 0.001)


def named(report: Report) -> Mapping[str, Check]:
    """Name -> check."""
    return {check.name: check for checks in report.categories.values() for check in checks}


# Runs on the ports of the tests' own range: whatever else runs here is left alone.
PORTS = {"prometheusPort": "21941", "alertmanagerPort": "21942", "grafanaPort": "21943", "lokiPort": "21944"}


def test_a_stack_that_was_never_made_is_looked_at_without_making_anything(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    found = named(doctor("dev", PORTS))
    assert found["configuration"].result == "pass", found["configuration"]
    assert found["ports, address and network"].result == "pass"
    assert found["engine"].result == "pass"
    assert found["state"].result == "skip"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("overrides", "check", "words"),
    [
        ({"lokiPort": "loki"}, "configuration", "monitoring:lokiPort is 'loki'"),
        ({"dockerHost": "tcp://127.0.0.1:1"}, "engine", "refused"),
        ({"dockerNetwork": "nowhere"}, "ports, address and network", "'nowhere' does not exist"),
        ({"bindAddress": "192.0.2.1"}, "ports, address and network", "no address of this machine"),
        ({"imageBundle": "/nonexistent/images.tar"}, "configuration", "/nonexistent/images.tar"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_would_make_up_fail_is_said_once_with_the_way_out(
    overrides: dict[str, str], check: str, words: str, engine: docker.DockerClient
) -> None:
    report = doctor("dev", {**PORTS, **overrides})
    failed = {name: one for name, one in named(report).items() if one.result == "fail"}
    assert set(failed) - {"images"} == {check}, failed
    assert words in failed[check].detail
    assert failed[check].expected
    assert failed[check].hint


def test_a_port_of_another_program_is_named(engine: docker.DockerClient) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = named(doctor("dev", {**PORTS, "lokiPort": str(port)}))["ports, address and network"]
    assert found.result == "fail"
    assert f"monitoring:lokiPort {port} is taken by another program" in found.detail
    assert "config set" in found.hint


def test_the_command_ends_with_1_where_up_would_fail_and_a_program_can_read_why(engine: docker.DockerClient) -> None:
    options = [
        word for key, value in {**PORTS, "dockerNetwork": "nowhere"}.items() for word in ("-c", f"{key}={value}")
    ]
    result = CliRunner().invoke(app, ["doctor", "--json", "-", *options])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["passed"] is False
    failed = [check for checks in report["categories"].values() for check in checks if check["result"] == "fail"]
    assert any("'nowhere' does not exist" in check["detail"] and check["hint"] for check in failed)


def test_make_up_says_what_lacks_when_it_fails_and_only_then() -> None:
    def make(target: str) -> str:
        command = ["make", "--silent", target, "STACK=nothing-of-this-name"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        return done.stdout + done.stderr

    failed = make("up")
    assert "  fail configuration  there is no Pulumi.nothing-of-this-name.yaml\n" in failed
    assert "to do: make it, as a copy of Pulumi.prod.yaml" in failed
    assert "  pass " not in failed
    assert "to do" not in make("outputs")


@pytest.mark.parametrize(("free", "result"), [(20 * 1024**3, "pass"), (5 * 1024**3, "warn"), (200 * 1024**2, "fail")])
def test_a_disk_that_fills_is_a_warning_and_a_full_one_a_failure(free: int, result: str, tmp_path: Path) -> None:
    found = machine.disk("disk", tmp_path / "not" / "there", free)
    assert found.result == result
    assert result == "pass" or str(tmp_path) in found.hint


def test_memory_and_inotify_that_are_short_are_warnings(tmp_path: Path) -> None:
    file = tmp_path / "found"
    file.write_text("MemTotal: 4000000 kB\nMemAvailable: 900000 kB\n")
    assert (machine.memory(file).result, machine.memory(file).detail) == ("warn", "0.9 GiB available")
    file.write_text("MemAvailable: 9000000 kB\n")
    assert machine.memory(file).result == "pass"
    file.write_text("128\n")
    assert machine.inotify(file).result == "warn"
    assert "sysctl" in machine.inotify(file).hint
    file.write_text("8192\n")
    assert machine.inotify(file).result == "pass"
    assert machine.inotify(tmp_path / "absent").result == "skip"


def test_a_directory_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    found = machine.permissions("state", "MONITORING_HOME", file / "home")
    assert found.result == "fail"
    assert "MONITORING_HOME" in found.hint
    assert machine.permissions("state", "MONITORING_HOME", tmp_path / "new").result == "pass"


def test_a_state_whose_passphrase_is_gone_is_a_failure_and_one_that_others_read_a_warning(tmp_path: Path) -> None:
    assert state.passphrase(tmp_path, needed=False, environment={}).result == "pass"
    assert state.passphrase(tmp_path, needed=True, environment={}).result == "fail"
    path = tmp_path / "passphrase"
    path.write_text("x")
    path.chmod(0o644)
    assert state.passphrase(tmp_path, needed=True, environment={}).hint == f"chmod 600 {path}"
    path.chmod(0o600)
    assert state.passphrase(tmp_path, needed=True, environment={}).result == "pass"
    elsewhere = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "absent")}
    assert state.passphrase(tmp_path, needed=True, environment=elsewhere).result == "fail"
    assert state.passphrase(tmp_path, needed=True, environment={"PULUMI_CONFIG_PASSPHRASE": "x"}).result == "pass"


def test_an_engine_that_is_too_old_for_a_setting_is_a_failure() -> None:
    assert engine.version({"ServerVersion": "20.10.24"}, "").result == "pass"
    assert engine.version({"ServerVersion": "20.10.24"}, "1s").result == "fail"
    assert engine.version({"ServerVersion": "28.0.1"}, "1s").result == "pass"


@pytest.mark.parametrize(
    ("missing", "ways", "source", "result"),
    [
        ([], {}, "auto", "pass"),
        (["loki"], {"registry": True}, "auto", "pass"),
        (["loki"], {"lab": True}, "auto", "pass"),
        (["loki"], {"registry": True}, "bundle", "fail"),
        (["loki"], {}, "auto", "fail"),
        (["grafana"], {}, "auto", "warn"),
        (["grafana"], {"lab": True}, "auto", "warn"),
    ],
)
def test_images_that_can_be_had_in_no_way_are_a_failure(
    missing: list[str], ways: dict[str, bool], source: str, result: str
) -> None:
    found = network.images(missing, 14, settings_of("dev", imageSource=source), ways)
    assert found.result == result
    assert set(missing) <= set(found.detail.replace(",", "").replace(";", "").split())


def test_a_registry_that_does_not_answer_is_told_in_words() -> None:
    [probe] = network.ask({"it": "http://127.0.0.1:1/v2/"}).values()
    assert probe.problem.startswith("nothing answers at the registry's address")


def test_a_directory_of_somebody_else_is_named_with_its_owner(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    assert machine.permissions("cache", "MONITORING_CACHE", tmp_path).result == "fail"
