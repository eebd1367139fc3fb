"""The plan for a terminal."""

import textwrap
from collections.abc import Iterator, Sequence

from ops.plan import words
from ops.plan.model import RULES, Plan, Resource, Topic

_GROUPS = (
    ("Removed or replaced", ("removed", "replaced")),
    ("Changed in place, while it runs", ("changed",)),
)


def text(plan: Plan) -> str:
    """The plan as plain text, diffs and all."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{plan.stack}: {words.headline(plan)}"
    if plan.take_over:
        yield from _section("Not known to this state", [plan.take_over])
    yield from _section("DATA AT RISK", [f"! {risk}" for risk in plan.risks])
    yield from _section("Not as the last update left it; `up` puts it right", plan.mended)
    for title, verbs in _GROUPS:
        these = [one for one in plan.resources if one.verb in verbs and not one.once]
        yield from _section(title, [line for one in these for line in _resource(one)])
    new = [one for one in plan.resources if one.verb == "made" and not one.once]
    yield from _section("New", [f"{words.SIGNS['made']} {line}" for line in words.made(new, _plain)])
    once = [one for one in plan.resources if one.once and one.verb != "removed"]
    # What alerts would have done belongs to what changes in them.
    after = next((place + 1 for place, topic in enumerate(plan.topics) if topic.title == RULES), 0)
    yield from _topics(plan.topics[:after])
    if plan.backtest:
        found = plan.backtest
        trials = [words.trial(one, _plain) for one in found.trials]
        told = [*([found.problem] if found.problem else []), *trials] or ["no alert is new or changed"]
        yield from _section(f"New and changed alerts against {words.backtest(found)}", told)
    yield from _topics(plan.topics[after:])
    for line in words.once(once, _plain):
        yield f"\n{line}"
    yield from _section("Warnings", plan.warnings)


def _topics(topics: Sequence[Topic]) -> Iterator[str]:
    for topic in topics:
        changes = [f"{words.SIGNS[one.verb]} {words.change(one, _plain)}" for one in topic.changes]
        yield from _section(topic.title, changes or ["(the text alone)"])
        for diff in topic.diffs:
            yield f"    {diff.service} {diff.path} (+{diff.added} -{diff.removed})"
            yield textwrap.indent(diff.lines, "      ")


def _resource(one: Resource) -> Iterator[str]:
    yield f"{words.SIGNS[one.verb]} {words.resource(one, _plain)}"
    if one.outage:
        yield f"    {words.outage(one.outage)}"
    if one.data:
        yield f"    {one.data}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _plain(value: str) -> str:
    return value
