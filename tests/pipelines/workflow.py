"""A workflow's file as a test reads it, and a run of a job's steps as a runner runs them: commands, in order."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from config.project import ROOT

DIRECTORY = ROOT / ".github/workflows"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def workflow(name: str) -> dict[str, Any]:
    """A workflow by its file's name; `on` is a key, which YAML takes for true."""
    parsed: dict[Any, Any] = yaml.safe_load((DIRECTORY / f"{name}.yml").read_text())
    parsed["on"] = parsed.pop(True)
    return parsed


def workflows() -> dict[str, dict[str, Any]]:
    """Every workflow by its file's name."""
    return {path.stem: workflow(path.stem) for path in sorted(DIRECTORY.glob("*.yml"))}


@dataclass
class Runner:
    """Runs jobs in clean clones of `repository`.

    `values` is expression -> what it is; one that is not there fails the test. `environment` is the machine's own.
    Artifacts go from job to job as files in `temporary`/artifacts.
    """

    repository: Path
    temporary: Path
    values: Mapping[str, str]
    environment: Mapping[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    def job(self, name: str, job: str) -> bool:
        """Run a job of a workflow in a clone; gives whether it succeeded. What its steps print is in the test's log."""
        whole = workflow(name)
        described = whole["jobs"][job]
        clone, scratch = self.temporary / f"{name}-{job}", self.temporary / f"{name}-{job}-temp"
        for directory in (clone, scratch):
            shutil.rmtree(directory, ignore_errors=True)
        scratch.mkdir(parents=True)
        common = {**(whole.get("env") or {}), **(described.get("env") or {})}
        succeeded = True
        for step in described["steps"]:
            if not succeeded and step.get("if") != "always()":
                continue
            if "uses" in step:
                self._use(step, clone, scratch)
            else:
                succeeded &= self._run(step, {**common, **(step.get("env") or {})}, clone, scratch)
        for key, value in (described.get("outputs") or {}).items() if succeeded else ():
            self.outputs[f"needs.{job}.outputs.{key}"] = self._filled(value)
        return succeeded

    def _use(self, step: Mapping[str, Any], clone: Path, scratch: Path) -> None:
        """The three actions, as far as files go."""
        options = {key: self._filled(str(value), scratch) for key, value in (step.get("with") or {}).items()}
        action = step["uses"].partition("@")[0]
        artifacts = self.temporary / "artifacts"
        if action == "actions/checkout":
            subprocess.run(["git", "clone", "--quiet", str(self.repository), str(clone)], check=True)
            reference = options.get("ref") or self.values["github.sha"]
            subprocess.run(["git", "-C", str(clone), "checkout", "--quiet", "--detach", reference], check=True)
        elif action == "actions/upload-artifact":
            source = Path(options["path"])
            if source.exists() or options.get("if-no-files-found") != "ignore":
                (artifacts / options["name"]).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, artifacts / options["name"])
        elif action == "actions/download-artifact":
            shutil.copytree(artifacts / options["name"], options["path"], dirs_exist_ok=True)
        else:
            raise AssertionError(f"the test does not know {action}")

    def _run(self, step: Mapping[str, Any], environment: Mapping[str, Any], clone: Path, scratch: Path) -> bool:
        output, summary = scratch / "output", scratch / "summary.md"
        own = {
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_SHA": self.values["github.sha"],
            "RUNNER_TEMP": str(scratch),
        }
        filled = {key: self._filled(str(value), scratch) for key, value in environment.items()}
        # A runner's `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._filled(step["run"], scratch)]
        # What is empty here is a secret or a variable that is not set; this machine has its own.
        given = {key: value for key, value in filled.items() if value}
        done = subprocess.run(
            command, cwd=clone, env={**os.environ, **self.environment, **own, **given}, text=True, timeout=900
        )
        if output.exists():
            pairs = (line.split("=", 1) for line in output.read_text().splitlines())
            self.outputs |= {f"steps.{step['id']}.outputs.{key}": value for key, value in pairs}
        if summary.exists():
            self.summary = summary.read_text()
        return done.returncode == 0

    def _filled(self, text: str, scratch: Path | None = None) -> str:
        """The text with its expressions filled in."""

        def value(match: re.Match[str]) -> str:
            known = {**self.values, **self.outputs, "runner.temp": str(scratch)}
            assert match[1] in known, f"the test does not say what {match[0]} is"
            return known[match[1]]

        return _EXPRESSION.sub(value, text)
