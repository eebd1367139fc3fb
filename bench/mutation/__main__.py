"""`make mutate`: changes one small thing at a time, and tells which changes no case notices.

`python -m bench.mutation [FILE...]` takes names of rule files, such as redis_alerts.yml, and `routing`; without names
it tries everything. What was found is kept below ~/.cache/monitoring, so that it can be interrupted, and goes on with
the next run; `--minutes` ends it in time. Its exit code is 1 when a change survived that is not in excused.yaml, and 3
when there was no time for all of them.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from bench.mutation.mutant import Mutant, excuses, unexplained
from bench.mutation.routing import routing_mutants
from bench.mutation.rules import rule_mutants


def main() -> int:
    """Try the mutants, tell the survivors, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--minutes", type=float, default=24 * 60)
    parser.add_argument("--json", type=Path, help="write every mutant there, too")
    given = parser.parse_args()
    deadline = time.monotonic() + given.minutes * 60
    files = [file for file in given.files if file != "routing"]
    found = list(rule_mutants(files, deadline)) if files or not given.files else []
    if not given.files or "routing" in given.files:
        found += routing_mutants(deadline)
    show(found)
    if given.json:
        given.json.write_text(json.dumps([vars(mutant) for mutant in found], indent=1) + "\n")
    if time.monotonic() > deadline:
        print("the time is over; the next run goes on from here")
        return 3
    return 1 if unexplained(found, excuses()) else 0


def show(found: list[Mutant]) -> None:
    """A line for each file, and below it the changes that survived and are not excused."""
    excused = excuses()
    left = unexplained(found, excused)
    for file, count in Counter(mutant.file for mutant in found).items():
        noticed = sum(mutant.noticed for mutant in found if mutant.file == file)
        print(f"{file}: {count} changes, {noticed} noticed")
        for mutant in left:
            if mutant.file == file:
                print(f"  survived: {mutant.key}")
    noticed = sum(mutant.noticed for mutant in found)
    print(f"{len(found)} changes: {noticed} noticed, {len(found) - noticed - len(left)} excused, {len(left)} survived")


if __name__ == "__main__":
    sys.exit(main())
