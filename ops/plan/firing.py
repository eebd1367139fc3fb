"""When an alert would have fired, by what its expression gave at each look: as Prometheus' rule manager decides it.

Source: rules/alerting.go of Prometheus (AlertingRule.Eval). What is left out: labels of the rule itself that are made
from a value, so that one series becomes several alerts.
"""

from collections.abc import Collection, Mapping

from ops.plan.model import Firing


def firing(seen: Mapping[str, Collection[float]], looks: Collection[float], hold: float, keep: float) -> Firing:
    """How often, and for how long, an alert would have fired.

    Takes series -> the times at which the expression gave something for it, and all times that it was evaluated at;
    `hold` is the rule's `for`, `keep` its `keep_firing_for`. All in seconds. What still fires at the last look counts
    as long as it was seen.
    """
    ordered = sorted(looks)
    by_series = [spans for times in seen.values() if (spans := firing_spans(set(times), ordered, hold, keep))]
    lengths = [end - start for spans in by_series for start, end in spans]
    return Firing(len(lengths), sum(lengths), max(lengths, default=0.0), len(by_series))


def firing_spans(
    active: Collection[float], looks: Collection[float], hold: float, keep: float
) -> list[tuple[float, float]]:
    """Start and end of each time that one series fired: of `looks`, in their order, it was `active` at some."""
    spans: list[tuple[float, float]] = []
    since: float | None = None  # active, pending or firing
    fired: float | None = None
    absent: float | None = None  # firing on, though no longer active
    last = 0.0
    for now in looks:
        last = now
        if now in active:
            absent = None
            since = now if since is None else since
            if fired is None and now - since >= hold:
                fired = now
            continue
        if fired is not None and keep:
            absent = now if absent is None else absent
            if now - absent < keep:
                continue
        if fired is not None:
            spans.append((fired, now))
        since = fired = absent = None
    if fired is not None:
        spans.append((fired, last))
    return spans
