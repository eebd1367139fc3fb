"""Reports of checks: one fault is said once, and people, programs and CI systems read the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml, Skipped
from typer.testing import CliRunner

from ops import report as terminal
from ops.cli import app
from ops.cli.reports import hand_over, show_report
from ops.validation.causes import without_consequences
from ops.validation.check import Check
from ops.validation.report import Report

FOUND = Report(
    "dev",
    2.5,
    {
        "service status": [
            Check.of("prometheus", True, "Up 2 hours"),
            Check.fail("loki", "paused", expected="it runs", hint="ops up", about="loki"),
        ],
        "log shipper": [
            Check.skip("lines arrive", "not judged"),
            Check.warn("disk", "1 GiB", expected="2", hint="clean"),
        ],
    },
)


def test_what_follows_from_a_failure_is_left_out_and_names_it() -> None:
    found = without_consequences(
        {
            "status": [Check.fail("redis", "gone", about="redis")],
            "targets": [
                Check.fail("job redis", "down", about="job redis", needs=("redis",)),
                Check.fail("job kong", "down", about="job kong", needs=("demo",)),
            ],
            "metrics": [
                Check.fail("kong: requests", "none", needs=("job kong",)),
                Check.fail("postgres: up", "none", needs=("job postgres",)),
                Check.of("redis: up", True, "1", needs=("redis",)),
            ],
        }
    )
    assert [(check.name, check.result) for checks in found.values() for check in checks] == [
        ("redis", "fail"),
        ("job redis", "skip"),
        ("job kong", "fail"),
        ("kong: requests", "skip"),
        ("postgres: up", "fail"),
        ("redis: up", "pass"),
    ]
    assert found["targets"][0].detail == "not judged, as this failed: status, redis"


def test_junit_has_a_suite_for_each_category_and_what_to_do_in_each_failure() -> None:
    document = JUnitXml.fromstring(FOUND.as_junit("validate"))
    assert (document.tests, document.failures, document.skipped) == (4, 1, 1)
    assert [suite.name for suite in document] == ["service status", "log shipper"]
    cases = {case.name: case for suite in document for case in suite}
    [failure] = cases["loki"].result
    assert isinstance(failure, Failure)
    assert failure.text == "found: paused\nexpected: it runs\nto do: ops up"
    assert isinstance(cases["lines arrive"].result[0], Skipped)
    assert cases["disk"].result == []
    assert "1 GiB" in cases["disk"].system_out
    assert {case.classname for case in cases.values()} == {"validate.service_status", "validate.log_shipper"}


def test_the_report_is_written_where_the_options_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_over(FOUND, "smoke", tmp_path / "new" / "report.json", tmp_path / "report.xml")
    written = json.loads((tmp_path / "new" / "report.json").read_text())
    assert written["counts"] == {"pass": 1, "warn": 1, "fail": 1, "skip": 1}
    assert written["categories"]["service status"][1] == {
        "name": "loki",
        "result": "fail",
        "detail": "paused",
        "expected": "it runs",
        "hint": "ops up",
    }
    assert JUnitXml.fromfile(str(tmp_path / "report.xml")).tests == 4
    capsys.readouterr()
    hand_over(FOUND, "smoke", Path("-"), None)
    assert json.loads(capsys.readouterr().out) == written


def test_what_failed_has_what_was_expected_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(FOUND)
    shown = capsys.readouterr().out
    assert "  fail loki  paused\n       expected: it runs\n       to do: ops up\n" in shown
    assert "1 passed, 1 failed, 1 to look at, 1 left out in 2.5 s, stack dev" in shown


def test_quiet_shows_what_failed_alone_and_warnings_where_nothing_did(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal._how, "quiet", True)
    show_report(FOUND)
    shown = capsys.readouterr().out
    assert "loki" in shown
    assert "disk" not in shown
    assert "prometheus" not in shown
    well = Report("dev", 1, {"machine": [Check.of("git", True), Check.warn("disk", "1 GiB")]})
    show_report(well)
    assert capsys.readouterr().out == "\nmachine\n  warn disk  1 GiB\n"
    terminal.say("progress")
    assert capsys.readouterr().out == ""


def test_progress_leaves_standard_output_to_the_report() -> None:
    script = """
from pathlib import Path
from ops import report
from ops.cli.reports import prepare
prepare(Path("-"))
report.say("progress")
report.warn("a warning")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "progress" in done.stderr
    assert "a warning" in done.stderr


def test_no_color_takes_the_colours_away() -> None:
    script = "from ops.report import console; print(console.no_color, console.is_terminal)"
    for variables, expected in (({"NO_COLOR": "1"}, "True True"), ({}, "False True")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"FORCE_COLOR": "1", "TERM": "xterm", **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


def test_ops_says_its_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == "defi-monitoring 1.0.0\n"
