"""What is noted with a deployment, and where a stack may go back to; with Pulumi's own history."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest
import yaml
from pulumi.automation import PulumiCommand

from lab.cache import cache
from ops.deployments import record, rollback
from ops.deployments.failure import take_back
from ops.deployments.formats import refusals
from ops.deployments.record import PASSED, Deployment, Program, history, note_validation
from ops.deployments.revision import Revision, revision
from ops.errors import OpsError
from ops.stack import toolchain, update
from ops.stack.configuration import write_settings
from ops.stack.workspace import Workspace, open_stack

COMMIT, OTHER = "a" * 40, "b" * 40
IMAGES = {"prometheus": "v3.13.5", "grafana": "12.4.11"}


# The revision


def _git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_a_tree_is_changed_by_any_file_of_the_program_and_by_no_stack_file(tmp_path: Path) -> None:
    _git(tmp_path, "init")
    (tmp_path / "rule.yml").write_text("a")
    (tmp_path / "Pulumi.yaml").write_text("a")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "first")
    commit = revision(tmp_path).commit
    assert len(commit) == 40
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {}")
    assert revision(tmp_path) == Revision(commit, changed=False)
    for name in ("Pulumi.yaml", "rule.yml", "another.yml"):
        before = (tmp_path / name).read_text() if (tmp_path / name).exists() else None
        (tmp_path / name).write_text("b")
        assert revision(tmp_path) == Revision(commit, changed=True), name
        if before is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_text(before)
    assert str(revision(tmp_path)) == commit[:10]


def test_a_tree_that_is_no_checkout_of_its_own_has_no_revision(tmp_path: Path) -> None:
    assert revision(tmp_path) == Revision("", changed=False)
    _git(tmp_path, "init")
    inside = tmp_path / "copy"
    inside.mkdir()
    assert revision(inside) == Revision("", changed=False)


# The record


@pytest.fixture(scope="module")
def pulumi() -> PulumiCommand:
    """Pulumi's command line, as `ops` finds it."""
    return toolchain.pulumi(cache(), print)


@pytest.fixture
def stack(tmp_path: Path, pulumi: PulumiCommand, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A stack like dev, with an empty program."""
    for variable in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return _opened(tmp_path / "home", pulumi)


def _opened(home: Path, pulumi: PulumiCommand) -> Workspace:
    return open_stack("dev", lambda: None, home, pulumi, create=True, overrides={}, find_ports=lambda *_: {})


def _program(commit: str = COMMIT, **changes: object) -> Program:
    made = Program("20261124T000000Z", Revision(commit, changed=False), IMAGES, {}, frozenset())
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_deployment_is_noted_with_its_program_its_settings_and_its_validation(
    stack: Workspace, engine: docker.DockerClient
) -> None:
    first = _program(id="1", overrides={"lokiPort": "3999"}, withheld=frozenset({"redisPassword"}))
    second = _program(OTHER, id="2", revision=Revision(OTHER, changed=True))
    for program in (first, second):
        update.up(stack, engine, program.message)
    note_validation(stack.backend, "dev", first, PASSED)
    note_validation(stack.backend, "dev", second, "3 checks of stack dev failed")

    newest, oldest = history(stack.backend, "dev")
    assert (oldest.program, newest.program) == (first, second)
    assert oldest.validated
    assert not newest.validated
    assert newest.validation == "3 checks of stack dev failed"
    assert (newest.kind, newest.result) == ("update", "succeeded")
    assert abs((datetime.now(UTC) - newest.began).total_seconds()) < 120
    assert newest.settings["demo"] == "true"


def test_what_is_shown_of_a_deployment_has_no_secret(stack: Workspace, engine: docker.DockerClient) -> None:
    update.up(stack, engine, _program().message)
    password = stack.configuration["redisPassword"]
    (plain,), (open_,) = history(stack.backend, "dev"), history(stack.backend, "dev", show_secrets=True)
    assert "redisPassword" not in plain.settings
    assert open_.settings["redisPassword"] == password
    for shown in (plain, open_):
        assert password not in json.dumps(shown.as_dict())
        assert "redisPassword" in shown.as_dict()["secrets"]
        assert password not in str(shown.as_dict())


def test_what_ops_did_not_deploy_has_no_program(stack: Workspace, engine: docker.DockerClient) -> None:
    for message in ("Merge branch 'x'", "{}", "[1]", '{"id": "1"}'):
        update.up(stack, engine, message)
    assert [each.program for each in history(stack.backend, "dev")] == [None] * 4


def test_a_secret_given_for_one_command_is_named_and_not_noted(stack: Workspace) -> None:
    program = record.this_program(stack.settings(), {"lokiPort": "3999", "slackWebhookUrl": "https://s3cret"})
    assert program.withheld == {"slackWebhookUrl"}
    assert "s3cret" not in program.message
    assert program.overrides == {"lokiPort": "3999"}
    assert program.images["prometheus"].startswith("v")


def test_settings_are_written_back_as_they_were_and_secrets_encrypted(
    stack: Workspace, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Those that the stack has now need not be written, as its local file has them."""
    settings = {"demo": "true", "lokiPort": "3999", "thresholds": '{"cpu": {"percent": 70}}', "smtpPassword": "s3cret"}
    settings["redisPassword"] = stack.configuration["redisPassword"]
    file = tmp_path / "Pulumi.dev.yaml"
    write_settings(stack, file, settings, frozenset({"smtpPassword", "redisPassword"}))
    written = yaml.safe_load(file.read_text())
    assert written["config"].pop("monitoring:smtpPassword").keys() == {"secure"}
    assert written["config"] == {
        "monitoring:demo": "true",
        "monitoring:lokiPort": "3999",
        "monitoring:thresholds": {"cpu": {"percent": 70}},
    }
    assert "s3cret" not in file.read_text()
    shown = stack.pulumi("config", "get", "--config-file", str(file), "smtpPassword", capture_output=True)
    assert shown.stdout.strip() == "s3cret"


# A deployment that failed


def test_one_that_never_began_has_nothing_to_be_taken_back(stack: Workspace, engine: docker.DockerClient) -> None:
    error = OpsError("no Docker engine answers", code=2)
    assert take_back(stack, _program(id="1"), error, yes=True) is error
    update.up(stack, engine, _program(id="1").message)
    assert take_back(stack, _program(id="2"), error, yes=True) is error


def test_one_that_validated_before_as_it_is_has_its_cause_elsewhere(
    stack: Workspace, engine: docker.DockerClient
) -> None:
    for number in ("1", "2"):
        update.up(stack, engine, _program(id=number).message)
    note_validation(stack.backend, "dev", _program(id="1"), PASSED)
    said = take_back(stack, _program(id="2"), OpsError("3 checks failed\nmore"), yes=True)
    assert str(said) == (
        "the deployment failed (3 checks failed); nothing is rolled back: the same revision and settings have "
        "validated before"
    )


def test_one_that_has_no_way_back_says_so_beside_what_failed(stack: Workspace, engine: docker.DockerClient) -> None:
    update.up(stack, engine, _program(id="1").message)
    said = take_back(stack, _program(id="1"), OpsError("3 checks failed"), yes=True)
    assert str(said).startswith("the deployment failed (3 checks failed); and it was not rolled back: no deployment of")


# Where to go back to


def _deployed(commit: str, validation: str = PASSED, **changes: object) -> Deployment:
    result = str(changes.pop("result", "succeeded"))
    settings = changes.pop("settings", {"lokiPort": "3100"})
    program = _program(commit, **changes)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return Deployment("update", now, result, validation, program, settings, frozenset())  # type: ignore[arg-type]


def test_the_way_back_leads_to_the_last_deployment_that_validated_and_is_another_one() -> None:
    good, bad, failed = _deployed("1"), _deployed("2", "2 checks failed"), _deployed("3", "", result="failed")
    newest = _deployed("4")
    assert rollback.target([newest, failed, bad, good], "dev") is good
    assert rollback.target([newest, _deployed("4"), good], "dev") is good
    assert rollback.target([bad, good], "dev") is good
    other_settings = _deployed("4", settings={"lokiPort": "3101"})
    assert rollback.target([newest, other_settings, good], "dev") is other_settings
    assert rollback.target([newest, replace(good, kind="refresh"), other_settings], "dev") is other_settings


def test_the_way_back_can_be_named_by_its_revision() -> None:
    deployments = [_deployed("4a"), _deployed("3a"), _deployed("2a", "1 check failed"), _deployed("1a")]
    assert rollback.target(deployments, "dev", "1") is deployments[3]
    with pytest.raises(OpsError, match=r"no deployment of 2 validated; they are listed by: ops history --stack dev"):
        rollback.target(deployments, "dev", "2")


def test_a_stack_without_a_way_back_says_so() -> None:
    with pytest.raises(OpsError, match="was never deployed; bring it up with: ops up --stack dev"):
        rollback.target([], "dev")
    with pytest.raises(OpsError, match="no deployment of stack dev but the present one has validated"):
        rollback.target([_deployed("1"), _deployed("1"), _deployed("2", "")], "dev")


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (_deployed(""), "made from a tree that is no Git checkout"),
        (_deployed(COMMIT, revision=Revision(COMMIT, changed=True)), "aaaaaaaaaa with changes, which no commit has"),
        (_deployed(COMMIT), f"made from {COMMIT}, which this checkout does not have; fetch it"),
        (_deployed("HEAD", withheld=frozenset({"smtpPassword"})), "--config smtpPassword, which is secret"),
        (_deployed("HEAD", images={**IMAGES, "grafana": "12.3.0"}), "grafana cannot go from 12.4.11 to 12.3.0"),
    ],
)
def test_what_cannot_be_rolled_back_is_refused_with_the_reason(then: Deployment, reason: str) -> None:
    with pytest.raises(OpsError, match="stack dev cannot be rolled back:\n") as caught:
        rollback.check(_deployed(OTHER), then, "dev")
    assert reason in str(caught.value)
    assert caught.value.code == 2


# Formats of data


@pytest.mark.parametrize(
    ("key", "now", "then", "may"),
    [
        ("prometheus", "v3.13.5", "v3.5.1", True),
        ("prometheus", "v3.13.5", "v3.13.4", True),
        ("prometheus", "v3.5.1", "v3.13.5", True),
        ("prometheus", "v3.14.0", "v3.13.5", False),
        ("prometheus", "v4.0.0", "v3.13.5", False),
        ("alertmanager", "v0.34.2", "v0.28.1", True),
        ("alertmanager", "v0.33.0", "v0.32.1", False),
        ("loki", "3.7.8", "3.6.15", True),
        ("loki", "4.0.0", "3.7.8", False),
        ("grafana", "12.4.11", "12.4.10", False),
        ("grafana", "12.4.10", "12.4.11", True),
        ("postgres", "17.9-bookworm", "17.5", True),
        ("postgres", "17.5", "15.12", False),
        ("postgres", "15.12", "17.5", False),
        ("redis", "8.0.5", "7.0.15", False),
        ("redis", "8.0.5", "8.0.2", True),
        ("redis", "nightly", "8.0.5", False),
        ("node-exporter", "v1.12.1", "v1.0.0", True),
    ],
)
def test_going_back_is_refused_where_the_older_version_cannot_read_the_data(
    key: str, now: str, then: str, may: bool
) -> None:
    found = list(refusals({key: now}, {key: then}))
    assert (not found) == may
    assert all(f"{key} cannot go from {now} to {then}: " in line and f"--restored {key}" in line for line in found)
    assert list(refusals({key: now}, {key: then}, restored=[key])) == []


def test_going_back_to_the_same_version_is_never_refused() -> None:
    assert list(refusals({"grafana": "latest"}, {"grafana": "latest"})) == []
