"""`ops config`: keys are read with their sources, and written where the repository keeps them, as Pulumi would."""

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from config.keys import Keys, environment_variables
from config.project import ROOT
from config.way_out import ops_stack, remove_with, set_with
from ops.cli import app
from ops.stack import configuration, stack_file, workspace


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's own files, to be changed, and a home of its own."""
    directory = tmp_path / "project"
    directory.mkdir()
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, directory)
    for module in (workspace, stack_file, configuration):
        monkeypatch.setattr(module, "ROOT", directory)
    monkeypatch.setenv("MONITORING_HOME", str(tmp_path / "home"))
    for variable in [*environment_variables().values(), "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "STACK"]:
        monkeypatch.delenv(variable, raising=False)
    return directory


def ops(*arguments: str, code: int = 0, text: str = "") -> Result:
    """Run `ops config`; fails the test where `code` is not how it ended."""
    result = CliRunner().invoke(app, ["config", *arguments], input=text)
    assert result.exit_code == code, result.output
    return result


def test_a_key_is_written_into_the_repositorys_file_and_its_comments_stay(project: Path) -> None:
    before = (project / "Pulumi.prod.yaml").read_text()
    ops("set", "lokiRetention", "60d", "--stack", "prod")
    ops("set", "memory.loki", "4096", "--stack", "prod")
    ops("set", "kongAddresses[1]", "kong-2:8100", "--stack", "prod")
    text = (project / "Pulumi.prod.yaml").read_text()
    assert [line for line in before.splitlines() if line.startswith("#") and line not in text] == []
    config = yaml.safe_load(text)["config"]
    assert config["monitoring:lokiRetention"] == "60d"
    assert config["monitoring:memory"] == {"loki": 4096}
    assert config["monitoring:kongAddresses"] == ["kong:8100", "kong-2:8100"]
    assert ops("get", "memory.loki", "--stack", "prod").output == "4096\n"
    ops("rm", "memory.loki", "--stack", "prod")
    assert "loki: 4096" not in (project / "Pulumi.prod.yaml").read_text()


def test_a_secret_is_encrypted_and_those_made_before_are_not_lost(project: Path) -> None:
    generated = ops("get", "postgresPassword", "--show-secrets").output
    ops("set", "slackWebhookUrl", text="https://hooks.slack.example/T0/secret\n")
    text = (project / "Pulumi.dev.yaml").read_text()
    assert "hooks.slack.example" not in text
    assert "secure" in yaml.safe_load(text)["config"]["monitoring:slackWebhookUrl"]
    assert ops("get", "slackWebhookUrl").output == "(a secret)\n"
    assert ops("get", "slackWebhookUrl", "--show-secrets").output == "https://hooks.slack.example/T0/secret\n"
    assert ops("get", "postgresPassword", "--show-secrets").output == generated
    assert "secret" not in ops("list").output.replace("(a secret)", "").replace("realtimeMetricsSecret", "")


def test_every_key_is_listed_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_HOST", "smtp.example")
    listed = {line.split()[0]: line for line in ops("list").output.splitlines()}
    assert len(listed) == len(Keys.model_fields)
    assert listed["demo"].split()[1:] == ["true", "Pulumi.dev.yaml"]
    assert listed["smtpHost"].endswith("environment variable SMTP_HOST")
    assert listed["lokiRetention"].split()[1:] == ["30d", "default"]
    assert listed["redisPassword"].endswith("made by ops for this stack")


def test_a_key_that_there_is_not_and_a_value_that_cannot_be_are_refused_and_nothing_is_written(project: Path) -> None:
    before = (project / "Pulumi.dev.yaml").read_text()
    assert "did you mean lokiRetention or lokiRetentionByStream?" in ops("set", "lokiRetentoin", "60d", code=2).stderr
    assert "monitoring:lokiRetention is '60x'" in ops("set", "lokiRetention", "60x", code=2).stderr
    assert "monitoring:memory.loki is '1'" in ops("set", "memory.loki", "'1'", code=2).stderr
    assert (project / "Pulumi.dev.yaml").read_text() == before


def test_a_pull_requests_stack_gets_a_file_of_its_own(project: Path) -> None:
    before = (project / "Pulumi.dev.yaml").read_text()
    ops("set", "lokiRetention", "2d", "--stack", "pr-4431")
    assert (project / "Pulumi.dev.yaml").read_text() == before
    config = yaml.safe_load((project / "Pulumi.pr-4431.yaml").read_text())["config"]
    assert config["monitoring:demo"] in (True, "true")
    assert config["monitoring:lokiRetention"] == "2d"


def test_messages_name_the_command_that_works_where_they_are_read() -> None:
    assert set_with("lokiPort", "PORT") == "pulumi config set monitoring:lokiPort PORT"
    assert set_with("memory.loki", "1", secret=True) == "pulumi config set --secret --path monitoring:memory.loki 1"
    assert remove_with("x.y") == "pulumi config rm --path monitoring:x.y"
    result = CliRunner().invoke(app, ["preview", "--stack", "prod", "--config", "lokiPort=99999"])
    assert "change it with: ops config set lokiPort VALUE --stack prod" in result.stderr
    assert "monitoring:postgresHost is missing" in result.stderr
    assert "set it with: ops config set postgresHost VALUE --stack prod" in result.stderr
    assert "pulumi config" not in result.stderr
    assert ops_stack.get() == ""
