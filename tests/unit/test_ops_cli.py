"""The command line: what is wrong is said once, on standard error, with an exit code."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from images.errors import ImageError
from lab.cache import cache
from lab.errors import LabError
from ops import home
from ops.cli import app
from ops.cli.common import clear_errors
from ops.errors import OpsError


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to this machine's own home."""
    monkeypatch.setenv("MONITORING_HOME", str(tmp_path / "home"))


def test_without_a_command_the_commands_are_listed() -> None:
    shown = CliRunner().invoke(app, []).output
    for command in ("up", "preview", "refresh", "destroy", "outputs", "validate", "pulumi", "images", "bundle"):
        assert f" {command} " in shown


@pytest.mark.parametrize("pair", ["grafanaPort", "monitoring:grafanaPort"])
def test_a_setting_without_a_value_is_refused(pair: str) -> None:
    result = CliRunner().invoke(app, ["up", "--config", pair])
    assert result.exit_code == 2
    assert result.stderr == f"--config '{pair}' must be KEY=VALUE, such as grafanaPort=3001\n"


def test_a_stack_name_that_cannot_become_a_container_name_is_refused() -> None:
    result = CliRunner().invoke(app, ["destroy", "--stack", "My Stack"])
    assert result.exit_code == 2
    assert result.stderr.startswith("stack name 'My Stack' cannot become part of a container name")


@pytest.mark.parametrize(
    ("error", "code"), [(OpsError("no"), 1), (OpsError("no", code=3), 3), (KeyboardInterrupt(), 130)]
)
def test_every_known_failure_ends_with_its_exit_code(error: BaseException, code: int) -> None:
    with pytest.raises(typer.Exit) as caught, clear_errors():
        raise error
    assert caught.value.exit_code == code


def test_an_unknown_failure_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), clear_errors():
        raise ZeroDivisionError


def test_state_and_cache_are_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITORING_HOME", "/mine/home")
    monkeypatch.setenv("MONITORING_CACHE", "/mine/cache")
    assert (home.home(), cache()) == (Path("/mine/home"), Path("/mine/cache"))
    monkeypatch.delenv("MONITORING_HOME")
    monkeypatch.delenv("MONITORING_CACHE")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cached")
    assert (home.home(), cache()) == (Path("/data/monitoring"), Path("/cached/monitoring"))


def _loaded_by(*arguments: str) -> set[str]:
    """The modules that a command of `ops` loads, in a process of its own."""
    command = [sys.executable, "-X", "importtime", "-m", "ops", *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {line.rpartition("|")[2].strip() for line in shown.splitlines() if line.startswith("import time:")}


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    heavy = {"pulumi", "docker", "httpx", "yaml", "requests", "rich.markdown", "components", "config.settings"}
    for arguments in (["--help"], ["images", "pin", "--help"]):
        loaded = _loaded_by(*arguments)
        assert "typer" in loaded
        assert not heavy & loaded


def test_ssh_is_loaded_only_for_an_engine_that_is_reached_by_it() -> None:
    script = """
import sys, ops, docker
assert "paramiko.transport" not in sys.modules
try:
    docker.DockerClient(base_url="ssh://nobody@127.0.0.1:1")
except Exception as error:
    assert type(error).__module__.startswith("paramiko"), error
assert "paramiko.transport" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("error", [OpsError("no"), ImageError("no"), LabError("no")])
def test_a_preview_that_fails_leaves_its_message_in_the_file(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ops.cli.preview.open_session", fail)
    output = tmp_path / "comment.md"
    result = CliRunner().invoke(app, ["preview", "--format", "markdown", "--output", str(output)])
    assert result.exit_code == 1
    assert output.read_text() == "<!-- ops preview: dev -->\n### Preview of `dev` failed\n\n```\nno\n```\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backtest", "prometheus:9090"], "--backtest must be the address of a Prometheus, such as http://"),
        (["--backtest", "http://prometheus:9090", "--window", "week"], "--window 'week' is no duration such as"),
    ],
)
def test_a_past_that_cannot_be_meant_is_refused_before_anything_is_asked(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["preview", "--stack", "pr-1", *options])
    assert result.exit_code == 2
    assert result.stderr.startswith(message)


def _commands(group: TyperGroup, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, by the words that it is called by; a group that does something itself, too."""
    for name, command in group.commands.items():
        words = (*above, name)
        if isinstance(command, TyperGroup):
            yield from _commands(command, *words)
            if command.invoke_without_command:
                yield words, command
        else:
            yield words, command


COMMANDS = dict(_commands(cast(TyperGroup, typer.main.get_command(app))))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_of_itself_that_can_be_read(words: tuple[str, ...]) -> None:
    """The example is parsed as the command line would be; nothing is run."""
    found = re.findall(r"Example: (.+)", COMMANDS[words].help or "")
    assert len(found) == 1, words
    line = shlex.split(found[0])
    assert line[0] == "ops"
    assert tuple(line[1 : len(words) + 1]) == words
    COMMANDS[words].make_context(words[-1], line[len(words) + 1 :])


def test_exit_codes_are_in_the_help() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for words in (
        "0 well",
        "1 something failed",
        "2 wrong arguments",
        "3 there are changes",
        "4 the plan",
        "130 interrupted",
    ):
        assert words in shown


def test_a_shell_completes_commands_and_options() -> None:
    for typed, expected in (("ops val", "validate"), ("ops doctor --js", "--json")):
        variables = {"_OPS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
        command = [sys.executable, "-m", "ops"]
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        assert done.stdout.split() == [expected]
