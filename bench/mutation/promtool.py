"""Running many small files of rules and cases by promtool, a process for several of them."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

Document = Mapping[str, Any]

# In memory: promtool keeps a database of its own for each test, and waits for the disk longer than it computes.
_MEMORY = Path("/dev/shm")  # noqa: S108 (a directory of its own is made in it)
# Files of cases for one process, which takes longer to start than to run one.
_IN_ONE = 10
# libyaml's writer, where PyYAML has it, takes a tenth of the time.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def accepted(rules: Document) -> bool:
    """Whether Prometheus takes a file of rules."""
    return _run({"rules.yml": rules}, "check", "rules", "rules.yml") == {}


def problems(pairs: Sequence[tuple[Document, Document]]) -> list[str]:
    """What fails of each file of cases with its rules, empty where all passes; pairs of (rules, cases)."""
    parts = [pairs[start : start + _IN_ONE] for start in range(0, len(pairs), _IN_ONE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [problem for found in pool.map(_problems, parts) for problem in found]


def _problems(pairs: Sequence[tuple[Document, Document]]) -> list[str]:
    """The same, by one process."""
    files: dict[str, Document] = {}
    for number, (rules, cases) in enumerate(pairs):
        files[f"rules-{number}.yml"] = rules
        files[f"{number}.yml"] = {**cases, "rule_files": [f"rules-{number}.yml"]}
    names = [name for name in files if not name.startswith("rules-")]
    said = _run(files, "test", "rules", "--junit=report.xml", *names)
    return [said.get(name, "") for name in names]


def _run(files: Mapping[str, Document], *command: str) -> dict[str, str]:
    """Run promtool beside these files; file of cases -> what failed, or "" -> all that it said where it ends badly."""
    with tempfile.TemporaryDirectory(prefix="mutation-", dir=_MEMORY if _MEMORY.is_dir() else None) as scratch:
        for name, document in files.items():
            (Path(scratch) / name).write_text(yaml.dump(document, Dumper=_DUMPER, sort_keys=False))
        done = subprocess.run(
            ["promtool", *command],
            cwd=scratch,
            env={**os.environ, "TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        report = Path(scratch) / "report.xml"
        if not report.exists():
            return {"": done.stdout} if done.returncode else {}
        suites = ElementTree.parse(report).getroot()
    said = {}
    for suite in suites.iter("testsuite"):
        texts = [element.text or "failed" for element in suite.iter() if element.tag in ("failure", "error")]
        if texts:
            said[suite.attrib["name"]] = "\n".join(texts)
    return said
