"""The form of the workflows: checked by actionlint, nothing allowed that is not needed, one job a stack at a time."""

import re
import shutil
import subprocess
from typing import Any

import pytest

from lab import toolchain
from lab.cache import cache
from tests.pipelines.workflow import DIRECTORY, workflows

ALL = workflows()
JOBS = [(name, job, about) for name, whole in ALL.items() for job, about in whole["jobs"].items()]
# What a job may do besides reading the code.
MAY = {
    ("preview", "running"): {"pull-requests": "write"},
    ("environment", "up"): {"pull-requests": "write"},
    ("environment", "down"): {"pull-requests": "write"},
    ("drift", "look"): {"issues": "write"},
    ("outdated", "ask"): {"issues": "write"},
}


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint") or str(toolchain.build("actionlint", cache(), print))
    command = [actionlint, "-no-color", *(str(path) for path in DIRECTORY.glob("*.yml"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_pipeline_is_there() -> None:
    assert set(ALL) == {"deploy", "drift", "environment", "outdated", "preview", "sweep", "test"}


@pytest.mark.parametrize(("name", "job", "about"), JOBS, ids=[f"{name}-{job}" for name, job, _ in JOBS])
def test_a_job_may_do_what_it_needs_and_ends(name: str, job: str, about: dict[str, Any]) -> None:
    assert ALL[name]["permissions"] == {}
    assert about["permissions"] == {"contents": "read", **MAY.get((name, job), {})}
    assert about["timeout-minutes"] <= 90
    checkouts = [step for step in about["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]


def test_what_a_pull_request_is_called_never_becomes_a_command() -> None:
    """A title or a branch may be anything, also a command: what steps get of it is a number or a hash."""
    harmless = {"github.event.pull_request.number", "github.event.pull_request.head.sha"}
    for path in DIRECTORY.glob("*.yml"):
        said = set(re.findall(r"\$\{\{\s*(github\.(?:event\.|head_ref)[\w.]*)", path.read_text()))
        assert said <= {*harmless, "github.event.repository.default_branch"}, path.name
        assert "pull_request_target" not in path.read_text()


def test_a_fork_reaches_no_machine_and_no_secret_of_ours() -> None:
    ours = "github.event.pull_request.head.repo.full_name == github.repository"
    for name, job, about in JOBS:
        if "pull_request" not in ALL[name]["on"]:
            continue
        if about["runs-on"] != "ubuntu-24.04":
            # What takes a stack down runs the program of the default branch.
            own_program = about["steps"][0]["with"].get("ref") == "${{ github.event.repository.default_branch }}"
            assert ours in about["if"] or own_program, (name, job)
        else:
            assert "secrets." not in str(about), (name, job)


def test_two_jobs_never_work_on_one_stack_at_once() -> None:
    environment, deploy = ALL["environment"]["concurrency"], ALL["deploy"]["jobs"]["apply"]["concurrency"]
    assert environment == {"group": "stack-pr-${{ github.event.pull_request.number }}", "cancel-in-progress": False}
    assert deploy == {"group": "stack-${{ vars.STACK || 'prod' }}", "cancel-in-progress": False}
    assert ALL["deploy"]["jobs"]["apply"]["environment"] == "production"
    for name, whole in ALL.items():
        assert "concurrency" in whole or name == "deploy", name


def test_nothing_that_may_hold_a_lock_is_cut_off() -> None:
    """A stack's lock would stay. The tests alone may be overtaken by a newer push."""
    cut = [name for name, whole in ALL.items() if "'cancel-in-progress': True" in str(whole)]
    assert cut == ["test"]
