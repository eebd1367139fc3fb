"""The plan as a comment on a pull request: what matters in sight, the text behind it folded, within GitHub's limit."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.plan import words
from ops.plan.model import RULES, Change, Diff, Plan, Resource, Topic

LIMIT = 65_000
"""Characters of one comment. GitHub refuses more than 65,536; the rest is for what a pipeline puts around it."""

# Characters of one value; the diff has the whole of it.
_VALUE = 300
# Lines of one list, tried one after the other until the comment fits.
_LINES = (1000, 200, 50, 20, 5)


@dataclass(frozen=True)
class _Room:
    """How much of the plan is shown: the diffs that are left out, how many lines a list has, and where the rest is."""

    without: frozenset[Diff] = frozenset()
    lines: int = _LINES[0]
    elsewhere: str = ""


def marker(stack: str) -> str:
    """The first line of each comment about a stack, which is not seen: a pipeline finds its own comment by it."""
    return f"<!-- ops preview: {stack} -->"


def markdown(plan: Plan, *, limit: int | None = LIMIT, elsewhere: str = "") -> str:
    """The comment, of at most `limit` characters (None: whatever it takes).

    Where not all fits, the longest diffs are left out first, then the ends of long lists; `elsewhere` says where the
    rest is. What is lost or restarts is never left out.
    """
    whole = _comment(plan, _Room())
    if limit is None or len(whole) <= limit:
        return whole
    diffs = sorted((diff for topic in plan.topics for diff in topic.diffs), key=lambda diff: -len(diff.lines))

    def without(count: int) -> str:
        return _comment(plan, _Room(frozenset(diffs[:count]), elsewhere=elsewhere))

    count = bisect_left(range(len(diffs)), True, key=lambda count: len(without(count)) <= limit)
    shorter = without(count)
    for lines in _LINES[1:]:
        if len(shorter) <= limit:
            return shorter
        shorter = _comment(plan, _Room(frozenset(diffs), lines, elsewhere))
    if len(shorter) <= limit:
        return shorter
    end = f"\n\nThe rest {elsewhere}.\n"
    return shorter[: limit - len(end)] + end


def failure(stack: str, message: str) -> str:
    """The comment where there is no plan, because the preview failed with this message."""
    fence = _fence(message)
    return f"{marker(stack)}\n### Preview of `{stack}` failed\n\n{fence}\n{message.strip()}\n{fence}\n"


def _comment(plan: Plan, room: _Room) -> str:
    return "\n".join(_lines(plan, room)) + "\n"


def _lines(plan: Plan, room: _Room) -> Iterator[str]:
    yield marker(plan.stack)
    yield f"### Preview of `{plan.stack}`: {words.headline(plan)}"
    if room.without:
        yield ""
        yield f"> Not all of it fits into a comment. The rest {room.elsewhere}."
    if plan.take_over:
        yield from _list("Not known to this state", [_escaped(plan.take_over)], room)
    # Never shortened.
    yield from _list("Data at risk", [f"**{_escaped(risk)}**" for risk in plan.risks], _Room())
    yield from _list("Not as the last update left it; `up` puts it right", map(_escaped, plan.mended), room)
    heavy = [one for one in plan.resources if one.verb in ("removed", "replaced") and not one.once]
    yield from _list("Removed or replaced", map(_resource, heavy), _Room())
    light = [one for one in plan.resources if one.verb == "changed" and not one.once]
    yield from _list("Changed in place, while it runs", map(_resource, light), room)
    new = [one for one in plan.resources if one.verb == "made" and not one.once]
    yield from _list("New", words.made(new, _code), room)
    # What alerts would have done belongs to what changes in them.
    after = next((place + 1 for place, topic in enumerate(plan.topics) if topic.title == RULES), 0)
    yield from _topics(plan.topics[:after], room)
    if plan.backtest:
        found = plan.backtest
        trials = [words.trial(one, _code) for one in found.trials]
        problem = [_escaped(found.problem)] if found.problem else []
        told = [*problem, *trials] or ["no alert is new or changed"]
        yield from _list(f"New and changed alerts against {words.backtest(found)}", told, room)
    yield from _topics(plan.topics[after:], room)
    for line in words.once([one for one in plan.resources if one.once and one.verb != "removed"], _code):
        yield f"\n{line}"
    if plan.warnings:
        yield ""
        yield f"<details><summary>Warnings: {len(plan.warnings)}</summary>\n"
        yield from (f"- {_escaped(warning)}" for warning in plan.warnings)
        yield "\n</details>"


def _topics(topics: Iterable[Topic], room: _Room) -> Iterator[str]:
    for topic in topics:
        changes = [_change(one) for one in topic.changes]
        yield from _list(topic.title, changes or ["the text alone: comments, order, or the place of something"], room)
        yield ""
        for diff in topic.diffs:
            yield from _folded(diff, room)


def _list(title: str, lines: Iterable[str], room: _Room) -> Iterator[str]:
    found = list(lines)
    if not found:
        return
    yield f"\n**{title}**\n"
    yield from (f"- {line}" for line in found[: room.lines])
    if len(found) > room.lines:
        yield f"- … and {len(found) - room.lines} more, which {room.elsewhere}"


def _change(one: Change) -> str:
    said = words.change(one, _code)
    return f"**{said}**" if one.verb == "broken" else said


def _resource(one: Resource) -> str:
    said = [words.resource(one, _code)]
    if one.lost:
        said[0] = f"**{said[0]}; its data is lost**"
    if one.outage:
        said.append(f"  - {words.outage(one.outage)}")
    if one.data:
        said.append(f"  - {one.data}")
    return "\n".join(said)


def _folded(diff: Diff, room: _Room) -> Iterator[str]:
    title = f"{diff.service} {diff.path} (+{diff.added} −{diff.removed})"
    if diff in room.without:
        yield f"{title}: {room.elsewhere}\n"
        return
    fence = _fence(diff.lines)
    yield f"<details><summary>{title}</summary>\n\n{fence}diff\n{diff.lines}\n{fence}\n\n</details>"


def _fence(text: str) -> str:
    """Backquotes that end nowhere within `text`."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))


def _code(value: str) -> str:
    """A name or a value as code."""
    value = value if len(value) <= _VALUE else f"{value[:_VALUE]}…"
    marks = "`" * (1 + max((len(run) for run in re.findall("`+", value)), default=0))
    space = " " if value.startswith("`") or value.endswith("`") else ""
    return f"{marks}{space}{value}{space}{marks}"


def _escaped(text: str) -> str:
    """A sentence in which nothing is Markdown; names that stand between backquotes stay code."""
    return re.sub(r"([\\*_\[\]<>#|])", r"\\\1", text)
