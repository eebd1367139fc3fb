"""`make mutate`: are the rules held by their cases? Each small thing of each rule is changed, one at a time.

Every number, every `for` and `keep_firing_for`, every comparison and every matcher of every alert and recording rule is
a mutant, for which the cases that read the rule's file are run by promtool; one that passes them all has survived.
`python -m bench.mutate [FILE...]` takes names of rule files, such as redis_alerts.yml; else all. Its exit code
is 1 when one survived that is not in EXCUSED. It needs promtool on the PATH, and hours for all on two cores.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from config.example import demo_settings
from config.project import ROOT
from config.prometheus import prometheus_files
from config.settings import Settings

CASES = ROOT / "tests/rules/cases"
_COMPARISONS = {"==": "!=", "!=": "==", ">=": "<", "<=": ">", ">": ">=", "<": "<="}
_MATCHERS = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
# What is said about a mutant that cannot be told from the rule. (rule, what was changed) -> the reason.
EXCUSED: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Mutant:
    """One changed place: the file, the rule, what was there and what is there now, and the file's whole text."""

    file: str
    rule: str
    before: str
    after: str
    text: str


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a rule file, whose comments and annotations stay as they are."""
    starts = [*re.finditer(r"^ +- (?:alert|record): (\S+)$", text, re.MULTILINE)]
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        rule = text[start.end() : end]
        logic = re.split(r"^ +(?:labels|annotations):$", rule, maxsplit=1, flags=re.MULTILINE)[0]
        for begin, stop, now in _changes(logic):
            changed = text[: start.end() + begin] + now + text[start.end() + stop :]
            yield Mutant(file, start.group(1), logic[begin:stop], now, changed)


def _changes(logic: str) -> Iterator[tuple[int, int, str]]:
    """Where to change what: (begin, end, text)."""
    code = re.sub(r"#.*", lambda match: " " * len(match.group()), logic)
    for wait in re.finditer(r"^ +(?:for|keep_firing_for): (\d+)([smhd])$", code, re.MULTILINE):
        yield wait.start(1), wait.end(1), str(int(wait.group(1)) * 3)
    expression = re.search(r"^ +expr:(.*?)(?=^ +(?:for|keep_firing_for):|\Z)", code, re.MULTILINE | re.DOTALL)
    if not expression:
        return
    base, body = expression.start(1), expression.group(1)
    quoted = [match.span() for match in re.finditer(r'"[^"]*"', body)]
    inside = [match.span() for match in re.finditer(r"\{[^{}]*\}", body)]

    def within(spans: list[tuple[int, int]], place: int) -> bool:
        return any(begin <= place < end for begin, end in spans)

    for match in re.finditer(r"==|!=|>=|<=|(?<![=>-])>(?!=|-)|<(?!=)", body):
        if not within(quoted, match.start()) and not within(inside, match.start()):
            yield base + match.start(), base + match.end(), _COMPARISONS[match.group()]
    for match in re.finditer(r"(?<![\w.:])\d+(?:\.\d+)?(?![\w.:])", body):
        if not within(quoted, match.start()) and not within(inside, match.start()):
            yield base + match.start(), base + match.end(), f"{float(match.group()) * 2 + 1:g}"
    for match in re.finditer(r"\[(\d+)([smhd])\]", body):
        yield base + match.start(1), base + match.end(1), str(int(match.group(1)) * 3)
    for begin, end in inside:
        for match in re.finditer(r'(\w+)(=~|!~|!=|=)"', body[begin:end]):
            operator = match.group(2)
            yield base + begin + match.start(2), base + begin + match.end(2), _MATCHERS[operator]


def survives(mutant: Mutant, files: dict[str, str], cases: list[Path]) -> bool:
    """Whether all cases pass with the mutant in place of its rule."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        for name, text in {**files, f"rules/{mutant.file}": mutant.text}.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        for case in cases:
            (directory / case.name).write_text(case.read_text())
            done = subprocess.run(
                ["promtool", "test", "rules", case.name], cwd=directory, capture_output=True, check=False
            )
            if done.returncode:
                return False
    return True


def readers(file: str) -> list[Path]:
    """The files of cases that read a rule file: it is named in their heads, before the tests."""
    heads = {path: path.read_text().partition("\ntests:")[0] for path in sorted(CASES.glob("*.yml"))}
    return [path for path, head in heads.items() if re.search(rf"rules/{re.escape(file)}$", head, re.MULTILINE)]


def run(settings: Settings, wanted: list[str]) -> int:
    """Try every mutant of the wanted rule files (none: of all); prints the survivors, and gives how many there are."""
    files = {name: text for name, text in prometheus_files(settings).items() if name.startswith("rules/")}
    total, survivors = 0, []
    for name in sorted(files):
        file = name.removeprefix("rules/")
        cases = readers(file)
        if not cases or (wanted and file not in wanted):
            continue
        found = list(mutants(file, files[name]))
        with ThreadPoolExecutor(max_workers=2) as pool:
            alive = list(pool.map(lambda mutant: survives(mutant, files, cases), found))  # noqa: B023
        left = [mutant for mutant, lives in zip(found, alive, strict=True) if lives]
        survivors += [mutant for mutant in left if (mutant.rule, mutant.before) not in EXCUSED]
        total += len(found)
        print(f"{file}: {len(found)} mutants, {len(left)} survived", flush=True)
        for mutant in left:
            print(f"  {mutant.rule}: {mutant.before} -> {mutant.after}", flush=True)
    print(f"{total} mutants, {total - len(survivors)} noticed")
    return len(survivors)


if __name__ == "__main__":
    sys.exit(1 if run(demo_settings(grafanaMode="none"), sys.argv[1:]) else 0)
