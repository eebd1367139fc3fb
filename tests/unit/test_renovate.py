"""renovate.json knows every place where a version stands; its patterns are run here on the real files."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from config.project import ROOT
from images.catalogue import catalogue
from lab import images, modules, toolchain

CONFIG: Mapping[str, Any] = json.loads((ROOT / "renovate.json").read_text())

# Renovate's own managers: which files they read by default, and how a version looks there.
BUILT_IN = {
    "gomod": (r"(^|/)go\.mod$", r"(?:^go |^toolchain go| )(v?\d\S+)"),
    "pep621": (r"(^|/)(pyproject\.toml|uv\.lock)$", r"(?:==|>=|<|version = \"|specifier = \"[^\"]*?)(\d[\w.]*)"),
    "pip_requirements": (r"(^|/)[\w-]*requirements[\w-]*\.(txt|pip)$", r"==(\S+)"),
    "dockerfile": (r"(^|/)(Dockerfile|Containerfile)[^/]*$", r"^FROM \S+?:(\S+)"),
    "github-actions": (
        r"^\.github/(workflows|actions)/.+\.ya?ml$",
        r"(?:uses: \S+?@(\S+ # v\S+))|(?:runs-on: \w+-(\S+))",
    ),
}

# What looks like a pinned version: v1.2.3, name==1.2, name@1.2, image:1.2, a commit, a package of PostgreSQL.
PIN = re.compile(
    r"""(?<![\w.+-])v?\d+\.\d+(?:\.\d+)+[\w.+-]*(?![\w.+{-])"""
    r"""|(?<===)\d[\w.]*"""
    r"""|(?<=[a-z]@)v?\d[\w.-]*|(?<=[a-z]@)[0-9a-f]{40}"""
    r"""|(?<=[a-z]:)\d+(?:\.\d+)+[\w.-]*(?![\w.}-])"""
    r"""|(?<="postgresql-)\d+"""
    r"""|(?<=_VERSION := )\S+"""
)
ADDRESS = re.compile(r"\d+(\.\d+){3}(/\d+)?")
# (file, text) -> why it is no version of anything that is brought from elsewhere.
NOT_BROUGHT = {
    ("demo/kong.py", "3.9.1"): "the Kong that the demo says it is",
    ("lab/go/docker-provider/main.go", "0.0.0"): "the linker puts the version in its place",
    ("images/reference.py", "7.0.15"): "an example in a message",
    ("pyproject.toml", "1.0.0"): "this project's own",
}
# Prose, checksums, and tests, whose versions are examples; but not what the tests install.
LEFT_OUT = re.compile(
    r"\.md$|go\.sum$|\.work\.sum$|^uv\.lock$|^tests/(?!prepare\.py)|^renovate\.json$|^config/support\.yaml$"
)


@dataclass(frozen=True)
class Manager:
    """Which files it reads, and its patterns for what stands there."""

    name: str
    files: tuple[re.Pattern[str], ...]
    patterns: tuple[re.Pattern[str], ...]

    def reads(self, path: str) -> bool:
        """Whether a file is one of its own."""
        return any(pattern.search(path) for pattern in self.files)


def python(pattern: str) -> re.Pattern[str]:
    """A pattern of Renovate's (RE2, which looks neither ahead nor back) as Python writes it: named groups differ."""
    assert not re.search(r"\(\?<?[=!]", pattern), pattern
    return re.compile(pattern.replace("(?<", "(?P<"))


@cache
def managers() -> tuple[Manager, ...]:
    found = [
        Manager(name, (re.compile(files),), (re.compile(pattern, re.MULTILINE),))
        for name, (files, pattern) in BUILT_IN.items()
        if name in CONFIG["enabledManagers"]
    ]
    for entry in CONFIG["customManagers"]:
        files = [re.fullmatch("/(.*)/", pattern) for pattern in entry["managerFilePatterns"]]
        assert all(files), f"{entry['managerFilePatterns']}: between slashes, or Renovate takes it for a glob"
        found.append(
            Manager(
                entry["description"],
                tuple(re.compile(pattern[1]) for pattern in files if pattern),
                tuple(python(pattern) for pattern in entry["matchStrings"]),
            )
        )
    return tuple(found)


@cache
def tracked() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for path in listed.splitlines() if (ROOT / path).is_file())


def without_comments(path: str, text: str) -> str:
    """The text with comments blanked out, in place; a workflow's are kept, as they say which version a hash is."""
    if path.startswith(".github/"):
        return text
    mark = {".go": "//", ".mod": "//", ".work": "//"}.get(Path(path).suffix, "#")
    text = re.sub(rf"(?m)(?:^|(?<=\s)){re.escape(mark)}.*$", lambda found: " " * len(found[0]), text)
    if path.endswith(".py"):
        text = re.sub(r'""".*?"""', lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.DOTALL)
    return text


def pins() -> Iterator[tuple[str, int, int, str]]:
    """(file, start, end, text) of everything in the tree that looks like a pinned version."""
    for path in tracked():
        if LEFT_OUT.search(path):
            continue
        try:
            text = without_comments(path, (ROOT / path).read_text())
        except UnicodeDecodeError:
            continue
        for found in PIN.finditer(text):
            if not ADDRESS.fullmatch(found[0]) and (path, found[0]) not in NOT_BROUGHT:
                yield path, found.start(), found.end(), found[0]


def known(path: str) -> list[tuple[int, int]]:
    """The places of a file where a manager finds a version."""
    text = (ROOT / path).read_text()
    return [
        found.span(group)
        for manager in managers()
        if manager.reads(path)
        for pattern in manager.patterns
        for found in pattern.finditer(text)
        for group in (pattern.groupindex.values() or range(1, pattern.groups + 1))
        if found[group]
    ]


def test_no_version_stands_where_renovate_does_not_look() -> None:
    outside: list[str] = []
    places: dict[str, list[tuple[int, int]]] = {}
    count = 0
    for path, start, end, text in pins():
        spans = places.setdefault(path, known(path))
        count += 1
        if not any(first < end and start < last for first, last in spans):
            outside.append(f"{path}: {text}")
    assert outside == []
    assert count > 300  # the go.mod files alone


def test_no_directory_is_left_out() -> None:
    """The preset config:recommended leaves out every tests/, and there is a version in ours."""
    assert "config:recommended" in CONFIG["extends"]
    assert CONFIG["ignorePaths"] == []


def test_what_is_excepted_is_there() -> None:
    for path, text in NOT_BROUGHT:
        assert text in (ROOT / path).read_text(), path


@pytest.mark.parametrize("entry", CONFIG["customManagers"], ids=lambda entry: entry["description"])
def test_a_pattern_of_ours_finds_something(entry: Mapping[str, Any]) -> None:
    manager = next(manager for manager in managers() if manager.name == entry["description"])
    read = [path for path in tracked() if manager.reads(path)]
    values = [
        found["currentValue"]
        for path in read
        for pattern in manager.patterns
        for found in pattern.finditer((ROOT / path).read_text())
    ]
    assert values
    assert "depNameTemplate" in entry or all("depName" in pattern.groupindex for pattern in manager.patterns)


def test_every_image_is_read_with_its_tag_and_digest() -> None:
    manager = next(manager for manager in managers() if manager.reads("config/images.yaml"))
    text = (ROOT / "config/images.yaml").read_text()
    found = {match["depName"]: match["currentValue"] for match in manager.patterns[0].finditer(text)}
    pinned = [image.reference for image in catalogue().values() if not image.build]
    assert found == {reference.repository: reference.tag for reference in pinned}
    digest = "sha256:" + "a" * 64
    (match,) = manager.patterns[0].finditer(f"redis:\n  repository: a/b\n  tag: 1.0\n  digest: {digest}\n")
    assert match["currentDigest"] == digest


def groups() -> dict[str, str]:
    """Dependency -> the group of updates it comes in."""
    return {
        name: rule["groupName"]
        for rule in CONFIG["packageRules"]
        if "groupName" in rule
        for name in rule["matchDepNames"]
    }


def test_an_image_and_the_program_of_the_lab_come_together() -> None:
    for key, image in catalogue().items():
        if image.build:
            continue
        repository = image.reference.repository
        assert repository in groups(), f"{key} is in no group"
        if key in images.KEYS and images.recipe(key).tools:
            module = toolchain.module_of(next(iter(images.recipe(key).tools.values())))
            assert groups()[repository] == groups()[module.source], key


def test_every_module_of_the_lab_is_read() -> None:
    manager = next(manager for manager in managers() if manager.name == "gomod")
    for module in modules.MODULES:
        path = str((module.path / "go.mod").relative_to(ROOT))
        assert manager.reads(path)
        assert path in tracked()


def test_what_is_named_in_a_group_exists() -> None:
    everything = "\n".join((ROOT / path).read_text() for path in tracked() if any(m.reads(path) for m in managers()))
    templates = {entry.get("depNameTemplate") for entry in CONFIG["customManagers"]}
    for name in groups():
        assert name in everything or name in templates, name


def test_an_action_is_pinned_by_its_commit() -> None:
    workflows = [path for path in tracked() if path.startswith(".github/workflows/")]
    uses = [line for path in workflows for line in re.findall(r"uses: (.*)", (ROOT / path).read_text())]
    assert uses
    for line in uses:
        assert line.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", line), line
