"""The life of a pull request's stack: deployed, listed, taken back, swept; with a real Git, state and engine."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from config.project import ROOT
from tests.engine.deployment import Deployment

pytestmark = pytest.mark.pipelines

STACK = "pr-4522"
RULES = "config/prometheus/rules/redis_alerts.yml"


def git(deployment: Deployment, *arguments: str) -> str:
    """What Git prints in the deployment's tree."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(deployment.root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(deployment: Deployment, message: str) -> str:
    """Everything in the deployment's tree as a commit, whose hash this gives."""
    git(deployment, "add", "--all")
    git(deployment, "commit", "--quiet", "--message", message)
    return git(deployment, "rev-parse", "HEAD")


def descriptions(deployment: Deployment) -> str:
    """What the rules on Redis say, as the running Prometheus has them."""
    answer = httpx.get(f"{deployment.url('prometheus')}/api/v1/rules", params={"rule_group[]": "redis"}, timeout=10)
    return answer.text


@pytest.fixture(scope="module")
def running(make_deployment: Callable[[str], Deployment]) -> Deployment:
    """A stack that is up from a commit; the tests of this file take it through its life in their order."""
    deployment = make_deployment(STACK)
    for name in ("Makefile", ".gitignore"):
        (deployment.root / name).write_text((ROOT / name).read_text())
    git(deployment, "init", "--quiet")
    commit(deployment, "first")
    deployment.ops("up")
    return deployment


def test_a_stack_is_listed_with_its_revision_and_what_was_changed_by_hand(running: Deployment) -> None:
    (now,) = running.listed()
    assert now["revision"] == {"commit": git(running, "rev-parse", "HEAD"), "changed": False}
    assert (now["result"], now["known"], now["drift"], now["host"]) == ("validated", True, [], "")
    running.container("nginx").stop()
    (then,) = running.listed()
    assert then["running"] == int(str(now["running"])) - 1
    assert "nginx: stopped by hand" in str(then["drift"])
    assert f"{STACK} " in running.ops_on_all("stacks")


def test_a_deployment_that_fails_its_validation_takes_itself_back(running: Deployment) -> None:
    """A rule that Prometheus takes, and that fails whenever it is evaluated."""
    file = running.root / RULES
    original = file.read_text()
    file.write_text(original.replace('expr: redis_up{job="redis"} == 0', "expr: up + on() up"))
    bad = commit(running, "a rule that cannot be evaluated")
    out = running.ops("up", "--rollback-on-failure", "--wait", "15", ok=False)
    first = git(running, "rev-parse", "HEAD~1")
    assert f"it was rolled back to {first[:10]}" in out
    assert "up + on" not in descriptions(running)
    back, failed, before = running.history()
    assert [each["program"]["revision"] for each in (back, failed, before)] == [first, bad, first]
    assert [each["validation"] for each in (back, failed, before)] == ["passed", failed["validation"], "passed"]
    assert "failed" in str(failed["validation"])
    assert git(running, "worktree", "list").count("\n") == 0
    file.write_text(original)


def test_a_deployment_that_validated_is_taken_back_with_its_settings(running: Deployment) -> None:
    file = running.root / RULES
    file.write_text(file.read_text().replace("Redis does not answer.", "Redis is silent."))
    settings = running.root / f"Pulumi.{STACK}.yaml"
    settings.write_text((running.root / "Pulumi.dev.yaml").read_text() + "  monitoring:scrapeInterval: 14s\n")
    commit(running, "another text, another setting")
    running.ops("up")
    assert "Redis is silent." in descriptions(running)
    assert "14s" in running.run("prometheus", ["cat", "/etc/prometheus/prometheus.yml"])

    refused = running.ops("rollback", ok=False)
    assert "run the same command with --yes" in refused
    assert "runs" in running.ops("rollback", "--yes")
    assert "Redis does not answer." in descriptions(running)
    assert "14s" not in running.run("prometheus", ["cat", "/etc/prometheus/prometheus.yml"])
    assert "another" not in git(running, "status", "--porcelain")


def test_a_plan_is_applied_as_it_was_reviewed_or_not_at_all(running: Deployment, tmp_path: Path) -> None:
    """Refused where the engine, the settings or the program are others than at the review; then nothing is touched."""
    file = running.root / RULES
    plan = str(tmp_path / "plan.json")
    file.write_text(file.read_text().replace("Redis is silent.", "Redis says nothing."))
    commit(running, "a third text")
    running.ops("preview", "--save-plan", plan)
    secret = running.run("redis", ["cat", "/run/config/secrets/redis_password"])
    assert secret not in Path(plan).read_text()

    running.container("nginx").pause()
    stale = running.ops("up", "--plan", plan, ok=False)
    assert "is stale, and nothing was touched" in stale
    assert "new since: nginx: paused" in stale
    assert running.container("nginx").status == "paused"
    running.container("nginx").unpause()
    stale = running.ops("up", "--plan", plan, "-c", "scrapeInterval=13s", ok=False)
    assert "-writer: replacement, but with other values" in stale

    running.ops("up", "--plan", plan)
    assert "Redis says nothing." in descriptions(running)


def test_a_stack_that_has_had_its_time_is_swept(running: Deployment) -> None:
    assert "there is nothing to sweep" in running.ops_on_all("sweep", "--only", STACK, "--older-than", "1h")
    assert f"swept {STACK}" in running.ops_on_all("sweep", "--only", STACK, "--older-than", "0s", "--yes")
    assert running.leftovers() == []
    assert running.listed() == []
