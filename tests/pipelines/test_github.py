"""What the workflows tell GitHub, by its own command line: one comment, one issue. A server stands in for its API."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.project import ROOT
from tests.pipelines.github import REPOSITORY, GitHub, github

PULL_REQUEST = 7


@pytest.fixture
def api() -> Iterator[GitHub]:
    with github() as server:
        yield server


def _run(api: GitHub, directory: Path, script: str, *arguments: str) -> None:
    own = {
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "99",
        "GITHUB_SERVER_URL": "https://github.example",
        "PULL_REQUEST": str(PULL_REQUEST),
    }
    command = [str(ROOT / ".github" / script), *arguments]
    environment = {**os.environ, **own, **api.command_line(directory / "bin")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_pull_request_keeps_one_comment_of_each_kind(api: GitHub, tmp_path: Path) -> None:
    """Also where it is on the second page, and somebody else's looks like it."""
    body = tmp_path / "body.md"
    for number in range(3):
        api.comment(PULL_REQUEST, f"comment {number}", user="somebody")
    api.comment(PULL_REQUEST, "<!-- monitoring: preview -->\nnot ours", user="somebody")
    for text, name in (("first", "preview"), ("its addresses", "environment"), ("second", "preview")):
        body.write_text(text)
        _run(api, tmp_path, "comment", name, str(body))
    log = "[log](https://github.example/someone/monitoring/actions/runs/99)\n"
    assert api.bodies(PULL_REQUEST)[4:] == [
        f"<!-- monitoring: preview -->\nsecond\n{log}",
        f"<!-- monitoring: environment -->\nits addresses\n{log}",
    ]
    assert api.bodies(PULL_REQUEST)[3].endswith("not ours")


def test_a_comment_also_says_that_nothing_was_made(api: GitHub, tmp_path: Path) -> None:
    _run(api, tmp_path, "comment", "preview", str(tmp_path / "never-written.md"))
    (said,) = api.bodies(PULL_REQUEST)
    assert "**preview** failed before it could say anything." in said
    assert "actions/runs/99" in said


def test_an_issue_is_opened_once_written_anew_and_closed(api: GitHub, tmp_path: Path) -> None:
    body = tmp_path / "drift.md"
    _run(api, tmp_path, "issue", "drift", "Drift", str(body))
    assert api.issues == []
    for text in ("one `thing`", "two things"):
        body.write_text(text)
        _run(api, tmp_path, "issue", "drift", "Drift", str(body))
        (issue,) = api.issues
        assert issue == {"number": 1, "state": "open", "title": "Drift", "labels": ["drift"], "body": text}
    body.unlink()
    _run(api, tmp_path, "issue", "drift", "Drift", str(body))
    assert api.issues[0]["state"] == "closed"
    assert api.bodies(1) == ["It is over: nothing is found any more."]
    body.write_text("again")
    _run(api, tmp_path, "issue", "drift", "Drift", str(body))
    assert [issue["state"] for issue in api.issues] == ["closed", "open"]
