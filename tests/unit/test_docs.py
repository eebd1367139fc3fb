"""The handbook: pages that are made are current, links lead somewhere, and commands are such as `ops` and make know."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml
from typer.core import TyperCommand, TyperGroup

from config.handbook import GROUPS, pages
from config.keys import Keys
from config.project import ROOT
from images.catalogue import catalogue
from ops.cli import app
from tests.rules.test_rules import ALERTS, LOG_ALERTS


@cache
def tracked(pattern: str) -> tuple[Path, ...]:
    """The files of the repository that match, those that are new and not ignored, too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(ROOT / line for line in listed.splitlines() if (ROOT / line).is_file())


MARKDOWN = tracked("*.md")


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_a_page_that_is_made_is_current(path: Path) -> None:
    assert path.read_text() == pages()[path], "write it anew: python -m config.handbook"


def test_the_page_of_the_keys_has_each_of_them_in_a_group() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert len(rows) == len(Keys.model_fields)
    assert [f"## {headline}" in text for headline in GROUPS.values()] == [True] * len(GROUPS)


def test_the_page_of_the_alerts_has_each_of_them() -> None:
    text = (ROOT / "docs/alerts.md").read_text()
    assert set(re.findall(r"\(runbooks/(\w+)\.md\)", text)) == {*ALERTS, *LOG_ALERTS}


def without_blocks(text: str) -> str:
    """The text without blocks of code."""
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """The text without code."""
    return re.sub(r"`[^`\n]*`", "", without_blocks(text))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", prose(path.read_text())):
        link = "".join(target)
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{path}: {link}"
        assert not anchor or anchor in anchors(found), f"{path}: {link}"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_of_ours_that_is_named_is_there(path: Path) -> None:
    """Where a page names a file below one of the rooms, as `config/keys.py`, it exists; `<name>` stands for any."""
    rooms = {entry.name for entry in ROOT.iterdir() if entry.is_dir()}
    for named in re.findall(r"`([\w.<>/-]+/[\w.<>-]+\.(?:py|ya?ml|md|json|sh|hcl|cfg|mod))`", path.read_text()):
        if named.split("/")[0] in rooms:
            assert list(ROOT.glob(re.sub(r"<\w+>", "*", named))), f"{path}: {named}"


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of everything that the pages tell people to type: `ops …` and `make …`."""
    for path in MARKDOWN:
        text = path.read_text()
        lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in joined(block)]
        lines += re.findall(r"`((?:ops|make) [^`]+)`", without_blocks(text))
        for line in lines:
            line = re.sub(r"^\s*(?:\.venv/bin/)?python -m ops\b", "ops", line.strip())
            if re.match(r"(ops|make) ", line):
                yield path.name, line.partition("  #")[0]


def joined(block: str) -> list[str]:
    """The lines of a block, those that end with a backslash as one."""
    return re.sub(r"\\\n\s*", "", block).splitlines()


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_a_command_in_the_handbook_is_one_that_can_be_typed(page: str, command: str) -> None:
    """It is parsed as the command line would be, and not run; `a` / `b` and … stand for several."""
    words = shlex.split(re.split(r" (?:/|\|\||&&) | …", command)[0])
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        for target in targets:
            assert re.search(rf"^[^\n:=]*(?<![\w-]){re.escape(target)}(?![\w-])[^\n:=]*:", makefile, re.MULTILINE), (
                command
            )
        return
    found: object = typer.main.get_command(app)
    rest = words[1:]
    while isinstance(found, TyperGroup) and rest and not rest[0].startswith("-"):
        assert rest[0] in found.commands, command
        found = found.commands[rest.pop(0)]
    if not isinstance(found, TyperGroup) and rest:
        parameters = cast(TyperCommand, found).params
        options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        options |= {"--help", "--"}
        for word in rest[: rest.index("--")] if "--" in rest else rest:
            if word.startswith("-") and not re.fullmatch(r"-\d.*", word):
                assert word.partition("=")[0] in options, f"{command}: {word}"


def leaves(node: Any) -> Iterator[str]:
    """The pages that a part of the site's navigation names."""
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from leaves(child)


def test_every_page_has_its_place_in_the_site() -> None:
    """`make docs` refuses one that has none; a runbook is found by its alert."""
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    placed = set(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert {page for page in pages if not page.startswith("runbooks/")} | {"runbooks/README.md"} == placed


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_the_versions_of_hooks_are_those_of_the_lock() -> None:
    """No hook brings a version of its own, which renovate.json would have to know."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [entry["repo"] for entry in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith("uv run --frozen --no-sync ")


def test_every_package_that_is_installed_has_its_licence_in_the_table() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    text = (ROOT / "docs/licences.md").read_text().lower()
    table = text.partition("| python package |")[2].partition("\n\n")[0]
    listed = {name.strip() for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in row.split(",")}
    assert {re.split(r"[\[>=<]", name)[0].lower() for name in wanted} <= listed


def test_every_image_that_is_run_has_its_licence_in_the_table() -> None:
    text = re.sub(r"[^a-z0-9]", "", (ROOT / "docs/licences.md").read_text().lower())
    for key, image in catalogue().items():
        assert image.build or re.sub(r"[^a-z0-9]", "", key) in text, key
