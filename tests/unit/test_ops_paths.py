"""Paths that cannot be read or written: one message that names the path and the way out, exit code 2, no traceback."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from config.project import ROOT
from lab.cache import cache
from lab.errors import LabError
from ops import home
from ops.cli.common import clear_errors
from ops.errors import OpsError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root: a file system of its own cannot be mounted")


def refusal(environment: dict[str, str], mount: str = "", at: Path | None = None) -> str:
    """What `ops` says where it cannot work, perhaps with a file system of the options `mount` at `at`."""
    command = [sys.executable, "-m", "ops", "preview", "--stack", "pr-4430"]
    if mount:
        script = f'mount -t tmpfs -o {mount} tmpfs "$0" && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, str(at), *command]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in result.stderr
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file/below"):
        message = refusal({"MONITORING_HOME": str(place)})
        assert f"cannot be kept in {place}: " in message
        assert "or set MONITORING_HOME to one" in message


@needs_root
def test_a_home_that_is_read_only_is_named(tmp_path: Path) -> None:
    message = refusal({"MONITORING_HOME": str(tmp_path)}, mount="ro", at=tmp_path)
    assert f"cannot be kept in {tmp_path}: " in message


@needs_root
def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    message = refusal({"MONITORING_HOME": str(tmp_path)}, mount="size=4k", at=tmp_path)
    assert "No space left on device; free some room there" in message


@pytest.mark.parametrize("below", ["", "nowhere"])
def test_a_cache_that_cannot_be_used_is_named(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MONITORING_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(typer.Exit) as caught, clear_errors():
        (cache() / "images").mkdir(parents=True)
    assert caught.value.exit_code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"cannot read or write {tmp_path}/file")
    assert "must be a directory (MONITORING_HOME and MONITORING_CACHE say where" in message


def test_a_file_that_the_program_itself_misses_is_not_hidden() -> None:
    with pytest.raises(FileNotFoundError), clear_errors():
        (ROOT / "nowhere").read_text()


def test_without_a_home_directory_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME is unset, and the system's list has no entry for the user, as in many containers."""
    for variable in ("HOME", "MONITORING_HOME", "MONITORING_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: max(entry.pw_uid for entry in pwd.getpwall()) - 1)
    with pytest.raises(OpsError, match="HOME is not set; set it, or MONITORING_HOME"):
        home.home()
    with pytest.raises(LabError, match="HOME is not set; set it, or MONITORING_CACHE"):
        cache()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the directory that the command happens to run in."""
    monkeypatch.setenv("HOME", "/home/me")
    for variable in ("MONITORING_HOME", "MONITORING_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, "")
    assert home.home() == Path("/home/me/.local/share/monitoring")
    assert cache() == Path("/home/me/.cache/monitoring")
