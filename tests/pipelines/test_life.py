"""The life of a pull request and of a deployment: the workflows' own steps, in clean clones, on a real stack."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from config.project import ROOT
from lab.cache import cache
from tests.conftest import remove_by_force
from tests.engine.deployment import Deployment, copy_project
from tests.pipelines.github import REPOSITORY, GitHub, github
from tests.pipelines.workflow import Runner
from tests.s3 import bucket

pytestmark = pytest.mark.pipelines

NUMBER, STACK, FORKS = 4524, "pr-4525", 4527
RULES = "config/prometheus/rules/redis_alerts.yml"


class Project:
    """A repository as GitHub has it, with a branch for a pull request."""

    def __init__(self, root: Path) -> None:
        self.root = copy_project(root)
        for part in (".github", "Makefile", ".gitignore"):
            subprocess.run(["cp", "-r", str(ROOT / part), str(self.root)], check=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("first")

    def git(self, *arguments: str) -> str:
        """What Git prints."""
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", "-C", str(self.root), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        """Everything in the tree as a commit, whose hash this gives."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, old: str, new: str) -> str:
        """A rule with another text, as a commit."""
        file = self.root / RULES
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        return self.commit(new)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("life") / "repository")


@pytest.fixture(scope="module")
def api() -> Iterator[GitHub]:
    with github() as server:
        yield server


@pytest.fixture(scope="module")
def machine(
    api: GitHub, engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """The environment of the runner's machine, with a state of a team; whatever is left of the stacks is removed."""
    home = tmp_path_factory.mktemp("home")
    with bucket(tmp_path_factory.mktemp("s3")) as state:
        yield {
            **api.command_line(home / "bin"),
            **state,
            "PULUMI_CONFIG_PASSPHRASE": "shared",
            "MONITORING_HOME": str(home),
            "MONITORING_CACHE": str(cache()),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "1",
            "GITHUB_SERVER_URL": "https://github.example",
        }
    for name in (f"pr-{NUMBER}", f"pr-{FORKS}", STACK):
        remove_by_force(Deployment(name, home, home, engine))


def _runner(project: Project, machine: Mapping[str, str], temporary: Path, commit: str) -> Runner:
    values = {
        "github.sha": commit,
        "github.token": machine["GH_TOKEN"],
        "github.event.pull_request.number": str(NUMBER),
        "github.event.pull_request.head.sha": commit,
        "github.event.repository.default_branch": "main",
        "vars.STACK || 'prod'": STACK,
        "vars.SWEEP_OLDER_THAN || '3d'": "3d",
        "vars.MONITORING_BACKTEST": "",
        "vars.PULUMI_BACKEND_URL": machine["PULUMI_BACKEND_URL"],
        "secrets.PULUMI_CONFIG_PASSPHRASE": "shared",
        "secrets.ENVIRONMENT_PASSPHRASE": "shared",
        "secrets.AWS_ACCESS_KEY_ID": machine["AWS_ACCESS_KEY_ID"],
        "secrets.AWS_SECRET_ACCESS_KEY": machine["AWS_SECRET_ACCESS_KEY"],
    }
    return Runner(project.root, temporary, values, machine)


def test_the_main_branch_is_planned_and_the_plan_applied(
    project: Project, machine: Mapping[str, str], tmp_path: Path
) -> None:
    runner = _runner(project, machine, tmp_path, project.git("rev-parse", "HEAD"))
    assert runner.job("deploy", "plan")
    assert runner.outputs["needs.plan.outputs.changes"] == "true"
    assert runner.job("deploy", "apply")
    assert f"### `{STACK}` is up" in runner.summary
    assert runner.job("deploy", "plan")
    assert runner.outputs["needs.plan.outputs.changes"] == "false"


def test_a_plan_that_is_stale_is_refused(
    project: Project, machine: Mapping[str, str], engine: docker.DockerClient, tmp_path: Path
) -> None:
    commit = project.change("Redis does not answer.", "Redis says nothing.")
    runner = _runner(project, machine, tmp_path, commit)
    assert runner.job("deploy", "plan")
    assert "Redis says nothing." in runner.summary
    nginx = engine.containers.get(f"monitoring-{STACK}-nginx")
    nginx.pause()
    assert not runner.job("deploy", "apply")
    assert "is stale, and nothing was touched" in runner.summary
    nginx.unpause()
    assert runner.job("deploy", "apply")


def test_drift_opens_an_issue_and_its_end_closes_it(
    project: Project, machine: Mapping[str, str], engine: docker.DockerClient, api: GitHub, tmp_path: Path
) -> None:
    """What is on the main branch and not deployed yet is no drift."""
    commit = project.change("Redis says nothing.", "Redis is away.")
    runner = _runner(project, machine, tmp_path, commit)
    assert runner.job("drift", "look")
    assert api.issues == []
    nginx = engine.containers.get(f"monitoring-{STACK}-nginx")
    nginx.pause()
    assert runner.job("drift", "look")
    assert "nginx" in api.issues[0]["body"]
    nginx.unpause()
    assert runner.job("drift", "look")
    assert api.issues[0]["state"] == "closed"


def test_a_pull_request_is_opened_labelled_pushed_to_and_closed(
    project: Project, machine: Mapping[str, str], engine: docker.DockerClient, api: GitHub, tmp_path: Path
) -> None:
    others = {container.id for container in engine.containers.list(all=True, ignore_removed=True)}
    project.git("checkout", "--quiet", "-b", "change")
    runner = _runner(project, machine, tmp_path, project.change("Redis is away.", "Redis is gone."))
    assert runner.job("preview", "running")
    (comment,) = api.bodies(NUMBER)
    assert "Redis is gone." in comment

    assert runner.job("environment", "up")
    preview, environment = api.bodies(NUMBER)
    assert preview == comment
    assert f"### `pr-{NUMBER}` is up" in environment
    assert "http://127.0.0.1:" in environment

    runner = _runner(project, machine, tmp_path, project.change("expr: redis_up", "expr: nonsense("))
    assert not runner.job("environment", "up")
    assert f"### `pr-{NUMBER}` could not be deployed" in api.bodies(NUMBER)[1]
    runner = _runner(project, machine, tmp_path, project.change("expr: nonsense(", "expr: redis_up"))
    assert runner.job("preview", "running")
    assert runner.job("environment", "up")
    assert len(api.bodies(NUMBER)) == 2
    assert f"### `pr-{NUMBER}` is up" in api.bodies(NUMBER)[1]

    assert runner.job("sweep", "sweep")
    assert engine.containers.get(f"monitoring-pr-{NUMBER}-prometheus")
    assert runner.job("environment", "down")
    assert f"`pr-{NUMBER}` is gone." in api.bodies(NUMBER)[1]
    left = engine.containers.list(all=True, ignore_removed=True)
    assert not [each.name for each in left if str(each.name).startswith(f"monitoring-pr-{NUMBER}-")]
    assert others <= {container.id for container in left}


def test_a_forks_pull_request_is_previewed_without_a_secret(
    project: Project, machine: Mapping[str, str], tmp_path: Path
) -> None:
    """Against a stack of the base branch. Its merge with that is what GitHub checks out; no secret is known here."""
    project.git("checkout", "--quiet", "-B", "fork", "main")
    project.change("Redis is away.", "Redis is somewhere.")
    project.git("checkout", "--quiet", "main")
    project.git("merge", "--quiet", "--no-ff", "--message", "merge", "fork")
    keys = ("PATH", "MONITORING_CACHE", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SERVER_URL")
    own = {key: machine[key] for key in keys} | {"MONITORING_HOME": str(tmp_path / "home")}
    values = {"github.sha": project.git("rev-parse", "HEAD"), "github.event.pull_request.number": str(FORKS)}
    runner = Runner(project.root, tmp_path, values, own)
    assert runner.job("preview", "fork")
    assert "Redis is somewhere." in runner.summary
