"""The sentences that text and Markdown share. `code` marks what is a name or a value."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from ops.plan.model import Backtest, Change, Detail, Firing, Outage, Plan, Resource, Trial

# Details of one thing that are told.
_DETAILS = 6
# New things beyond which they are told by their kinds.
_MANY = 20
Code = Callable[[str], str]
SIGNS = {"added": "+", "made": "+", "removed": "-", "changed": "~", "replaced": "±", "moved": "↕", "broken": "!"}


def headline(plan: Plan) -> str:
    """The whole plan in one sentence, the worst first."""
    if plan.empty:
        return "nothing changes"
    said = []
    lost = [one for one in plan.resources if one.lost]
    if lost:
        said.append(f"DATA IS LOST in {_count(len(lost), 'volume')}")
    elif plan.risks:
        said.append("data is at risk")
    if broken := [one for topic in plan.topics for one in topic.changes if one.verb == "broken"]:
        said.append(f"{_count(len(broken), 'file')} that cannot be read")
    if plan.take_over:
        said.append("a running stack is taken over")
    gone = [one.service for one in plan.resources if one.verb == "removed" and one.kind == "container" and not one.once]
    if gone:
        said.append(f"removed: {', '.join(gone)}")
    away = [one.service for one in plan.resources if one.outage]
    said.append(f"restarted: {', '.join(away)}" if away else "no service restarts")
    kept = [one.service for one in plan.resources if one.verb == "changed" and one.kind == "container"]
    if kept:
        said.append(f"changed while it runs: {', '.join(kept)}")
    new = [one.service for one in plan.resources if one.verb == "made" and one.kind == "container" and not one.once]
    if new:
        said.append(f"new: {', '.join(new) if len(new) < 6 else _count(len(new), 'service')}")
    said += [f"{topic.title.lower()}: {_count(len(topic.changes), 'change')}" for topic in plan.topics if topic.changes]
    if plan.mended:
        said.append(f"changed by hand: {_count(len(plan.mended), 'thing')}")
    return "; ".join(said)


def detail(one: Detail, code: Code) -> str:
    """`for 5m → 10m`, and what there is of that."""
    name = f"{one.name} " if one.name else ""
    if one.before and one.after:
        return f"{name}{code(one.before)} → {code(one.after)}"
    if one.after:
        return f"{name}{code(one.after)}"
    if one.before:
        return f"no {name}{code(one.before)} any more"
    return one.name


def details(these: tuple[Detail, ...], code: Code) -> str:
    """Several details as one clause; of very many the first ones."""
    said = [detail(one, code) for one in these[:_DETAILS]]
    if len(these) > _DETAILS:
        said.append(f"and {len(these) - _DETAILS} more")
    return "; ".join(said)


def change(one: Change, code: Code) -> str:
    """`alert HighCPUUsage: limit > 0.8 → > 0.9`."""
    verb = "" if one.verb == "changed" else f" {one.verb}"
    if one.verb == "broken":
        return f"{one.what} {code(one.name)} cannot be read, and `up` will be refused: {one.note}"
    if one.verb == "removed":
        said = "; ".join(f"{detail.name} {code(detail.before)}" for detail in one.details)
    else:
        said = details(one.details, code)
    rest = "; ".join(part for part in (said, one.note) if part)
    return f"{one.what} {code(one.name)}{verb}{': ' if rest else ''}{rest}"


def outage(one: Outage) -> str:
    """What it means that a service is away, and for how long, as far as that is known."""
    measured = (
        f"it was away for {one.measured:g} s when that was measured" if one.measured else "how long: not measured"
    )
    return f"while it is away, {one.meanwhile}; it gets {one.stops_within} s to stop; {measured}"


def resource(one: Resource, code: Code) -> str:
    """What happens to a thing, and why."""
    name = one.service if one.kind == "container" else one.name
    title = f"{one.kind} {code(name)} {one.verb}"
    because = details(one.because, code)
    if one.verb == "replaced":
        said = [f"{title} because of {because or 'what it depends on'}"]
    else:
        said = [f"{title}{': ' if because else ''}{because}"]
    if one.also:
        said.append(f"besides: {details(one.also, code)}")
    return "; ".join(said)


def made(these: Sequence[Resource], code: Code) -> list[str]:
    """What is new: each by itself, or by their kinds where it is much, as of a whole stack."""
    if len(these) <= _MANY:
        return [resource(one, code) for one in these]
    kinds: dict[str, list[str]] = defaultdict(list)
    for one in these:
        kinds[one.kind].append(code(one.service if one.kind == "container" else one.name))
    return [f"{_count(len(names), kind)}: {', '.join(names)}" for kind, names in kinds.items()]


def once(these: Sequence[Resource], code: Code) -> list[str]:
    """What the containers do that do their work and end."""
    said = []
    for suffix, what in (
        ("-config", "Reloaded without a restart, when its own tool has found it right"),
        ("-check", "Checked by its own tool before anything is touched"),
    ):
        found = sorted({one.service.removesuffix(suffix) for one in these if one.service.endswith(suffix)})
        if found:
            said.append(f"{what}: {', '.join(map(code, found))}.")
    return said


def backtest(one: Backtest) -> str:
    """What the alerts were tried against."""
    shorter = 0 < one.covered < one.window * 0.99
    of_it = f", of which it has {duration(one.covered)}" if shorter else ""
    return f"the last {duration(one.window)} of {one.url}{of_it}"


def trial(one: Trial, code: Code) -> str:
    """How often an alert would have fired, what it did before, and what it costs."""
    if one.after is None:
        return f"{code(one.alert)}: {one.note}"
    said = [f"would have fired {_firing(one.after)}"]
    if one.before:
        same = one.before == one.after
        said.append("as before this change" if same else f"before this change: {_firing(one.before)}")
    cost = f"looked at every {duration(one.step)}, in {one.took:.1f} s of queries"
    if one.cost_seconds is not None:
        cost += f"; one evaluation takes {one.cost_seconds * 1000:.1f} ms"
        cost += f" and reads {_count(one.cost_samples, 'sample')}" if one.cost_samples is not None else ""
    return f"{code(one.alert)} " + "; ".join([*said, cost, *([one.note] if one.note else [])])


def duration(seconds: float) -> str:
    """Seconds as people say them: `1d 2h`, `5m`, `12s`."""
    left, said = round(seconds), []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= length:
            said.append(f"{left // length}{unit}")
            left %= length
    return " ".join(said[:2]) or "0s"


def _firing(one: Firing) -> str:
    if not one.times:
        return "not once"
    longest = f", at most {duration(one.longest)} at a time" if one.times > 1 else ""
    return f"{_count(one.times, 'time')}, {duration(one.seconds)} in all{longest}, in {one.series} series"


def _count(number: int | None, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
