"""What `ops preview` says about changes of every kind, of the shared stack; nothing of it is applied.

The comments are stored in tests/engine/previews; MONITORING_WRITE_PREVIEWS=1 writes them anew, to be read.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

from ops.plan.markdown import LIMIT
from tests.engine.deployment import Deployment, edited
from tests.engine.preview_cases import CASES, Case
from tests.previews import assert_stored


def _comment(stack: Deployment, case: Case, directory: Path) -> str:
    with case.made(stack.root) as options:
        stack.ops("preview", "--format", "markdown", "--output", str(directory / "comment.md"), *options)
    return (directory / "comment.md").read_text()


def _anywhere(comment: str, stack: Deployment) -> str:
    """The comment without what differs from time to time: ports, where images come from, whether Grafana is there."""
    comment = comment.replace(stack.stack, "pr-1")
    for service, port in vars(stack.ports).items():
        comment = re.sub(rf"\b{port}\b", f"<port of {service}>", comment)
    comment = re.sub(r"`(?:lab|docker\.io)/(?:\S+/)?([a-z-]+):v?([\d.]+)[^`]*`", r"`\1:\2`", comment)
    comment = re.sub(r"; dashboards: \d+ changes?", "", comment)
    comment = re.sub(
        r"\n\*\*Dashboards\*\*.*?(?=\nReloaded|\nChecked|\n<details><summary>Warnings|\Z)", "", comment, flags=re.S
    )
    comment = re.sub(r"- Grafana's image cannot be had.*\n", "", comment)
    return re.sub(r"(?<=<summary>Warnings: )\d+", "…", comment)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_comment_about_a_change(stack: Deployment, case: Case, tmp_path: Path) -> None:
    comment = _comment(stack, case, tmp_path)
    assert "neverToBeSeen" not in comment
    assert_stored("engine", case.name, _anywhere(comment, stack))


def test_a_preview_for_a_program_leaves_standard_output_to_the_result(stack: Deployment) -> None:
    """What is told meanwhile goes to standard error, so that a pipe gets JSON and nothing else."""
    command = stack.command("preview", "--format", "json", "--config", 'memory={"loki": 3000}')
    done = subprocess.run(command, cwd=stack.root, env=stack.variables(), capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert not document["empty"]
    assert document["counts"] == {"same": document["counts"]["same"], "update": 1}
    assert [(one["verb"], one["service"]) for one in document["resources"]] == [("changed", "loki")]


def test_what_does_not_fit_into_a_comment_is_in_the_artifact(stack: Deployment, tmp_path: Path) -> None:
    rules = "".join(
        f"      - record: test:marker:value{number}\n        expr: vector({number})\n" for number in range(3000)
    )
    text = f"groups:\n  - name: test\n    rules:\n{rules}"
    comment, whole = tmp_path / "comment.md", tmp_path / "plan.md"
    with edited(stack.root / "config/prometheus/rules/zz_test_recordings.yml", text):
        stack.ops("preview", "--format", "markdown", "--output", str(comment), "--artifact", str(whole))
    assert len(comment.read_text()) <= LIMIT < len(whole.read_text())
    assert "The rest is in plan.md." in comment.read_text()
    assert "test:marker:value2999" in whole.read_text()


def test_what_was_changed_by_hand_is_in_the_comment(stack: Deployment, tmp_path: Path) -> None:
    stack.container("cadvisor").stop()
    try:
        comment = _comment(stack, Case("by-hand"), tmp_path)
    finally:
        stack.container("cadvisor").start()
    assert "changed by hand: 1 thing" in comment
    assert "- cadvisor: stopped by hand (Exited (" in comment


def test_a_preview_that_fails_leaves_its_message_for_the_comment(stack: Deployment, tmp_path: Path) -> None:
    output = tmp_path / "comment.md"
    arguments = ("--format", "markdown", "--output", str(output), "--config", "lokiPort=99999")
    out = stack.ops("preview", *arguments, ok=False)
    assert "monitoring:lokiPort" in out
    assert f"### Preview of `{stack.stack}` failed" in output.read_text()
    assert "monitoring:lokiPort" in output.read_text()


def test_a_changed_alert_is_tried_on_the_past_of_the_running_prometheus(stack: Deployment, tmp_path: Path) -> None:
    """One that must have fired: what it asks for is there all the time."""
    rule = tmp_path / "comment.md"
    text = (
        "groups:\n  - name: test\n    rules:\n      - alert: TestUp\n"
        '        expr: up{job="prometheus"} == 1\n        labels: {priority: P3, component: monitoring}\n'
    )
    asked = ("--backtest", stack.url("prometheus"), "--window", "1h", "--format", "markdown", "--output", str(rule))
    with edited(stack.root / "config/prometheus/rules/zz_test_alerts.yml", text):
        stack.ops("preview", *asked)
    assert re.search(
        r"- `TestUp` would have fired 1 time, \S+.* in all, in 1 series; looked at every 10s", rule.read_text()
    )


def test_a_prometheus_that_does_not_answer_fails_no_preview(stack: Deployment, tmp_path: Path) -> None:
    output = tmp_path / "comment.md"
    asked = ("--backtest", "http://127.0.0.1:1", "--format", "markdown", "--output", str(output))
    stack.ops("preview", *asked, "--config", 'thresholds={"cpu_usage:ratio": 0.9}')
    assert "- nothing was tried: it does not answer:" in output.read_text()


def test_pulumis_own_lines_are_to_be_had(stack: Deployment) -> None:
    shown = stack.ops("preview", "--format", "diff", "--config", 'memory={"loki": 3000}')
    assert re.search(r"~ memory\s*: 2560 => 3000", shown)


def test_what_differs_on_the_host_shows_after_a_look_at_it(stack: Deployment) -> None:
    """Somebody gave the container less memory by hand, which the state does not know."""
    container = stack.container("loki")
    container.update(mem_limit="2000m", memswap_limit="2000m")
    try:
        assert "nothing changes" in stack.ops("preview")
        shown = stack.ops("preview", "--refresh", "--expect-no-changes", ok=False)
    finally:
        container.update(mem_limit="2560m", memswap_limit="2560m")
    assert "container loki changed: memory (MiB) 2000 → 2560" in shown
