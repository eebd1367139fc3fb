"""The checks of one run, as people, programs and CI systems read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.validation.check import Check, Result

_RESULTS: Sequence[Result] = ("pass", "warn", "fail", "skip")


@dataclass(frozen=True)
class Report:
    """All checks of one run on the stack `stack`, by category, and how long it took in seconds."""

    stack: str
    seconds: float
    categories: Mapping[str, Sequence[Check]]

    def count(self, result: Result) -> int:
        """How many checks ended like that."""
        return sum(check.result == result for checks in self.categories.values() for check in checks)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "stack": self.stack,
            "passed": self.count("fail") == 0,
            "seconds": round(self.seconds, 1),
            "counts": {result: self.count(result) for result in _RESULTS},
            "categories": {name: [check.as_dict() for check in checks] for name, checks in self.categories.items()},
        }

    def as_junit(self, command: str) -> str:
        """The report of `command` as JUnit XML: a suite for each category, a case for each check.

        JUnit knows no warnings: one is a case that passed, with its text as output.
        """
        from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

        document = JUnitXml(f"ops {command} --stack {self.stack}")
        for category, checks in self.categories.items():
            suite = TestSuite(category)
            for check in checks:
                case = TestCase(check.name, f"{command}.{category.replace(' ', '_')}")
                if check.result == "fail":
                    failure = Failure(check.detail)
                    failure.text = f"found: {check.detail}\nexpected: {check.expected}\nto do: {check.hint}"
                    case.result = [failure]
                elif check.result == "skip":
                    case.result = [Skipped(check.detail)]
                elif check.result == "warn":
                    case.system_out = f"warning: {check.detail}\nto do: {check.hint}"
                suite.add_testcase(case)
            document.add_testsuite(suite)
        document.update_statistics()
        document.time = round(self.seconds, 3)
        return str(document.tostring().decode())
