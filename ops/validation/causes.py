"""One fault, one failed check: what only follows from another failure is left out, with the name of that failure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ops.validation.check import Check


def without_consequences(categories: Mapping[str, Sequence[Check]]) -> dict[str, list[Check]]:
    """The checks with those as skipped that failed, and need what an earlier check found to be broken.

    A check says what it is `about` and what it `needs`; the order of the categories, and of the checks in each, goes
    from cause to consequence: a container that does not run is said once, and not once more by each of its metrics.
    """
    broken: dict[str, str] = {}
    judged: dict[str, list[Check]] = {}
    for category, checks in categories.items():
        judged[category] = []
        for check in checks:
            cause = next((broken[need] for need in check.needs if need in broken), "")
            if check.result == "fail" and cause:
                check = replace(Check.skip(check.name, f"not judged, as this failed: {cause}"), about=check.about)
            elif check.result == "fail" and check.about:
                broken.setdefault(check.about, f"{category}, {check.name}")
            judged[category].append(check)
    return judged
