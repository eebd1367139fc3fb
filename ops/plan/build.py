"""The plan of a preview, out of the engine's events and the files of both sides."""

from collections.abc import Sequence

from pulumi.automation import EngineEvent

from ops.plan import resources, steps
from ops.plan.affected import Affected
from ops.plan.files import Files
from ops.plan.model import Plan
from ops.plan.topics import alerts_to_try, shorter_retention, topics


def plan(
    stack: str,
    events: Sequence[EngineEvent],
    before: Files,
    after: Files,
    *,
    take_over: str = "",
    mended: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Plan:
    """What `up` would do.

    `before` and `after` are the files of the containers, by the last update and by the program as it is now;
    `take_over`, `mended` and `warnings` are what was found besides: see Plan.
    """
    # The engine works at several things at once: in which order it tells of them says nothing.
    found = sorted(steps.steps(events), key=lambda step: step.name)
    return Plan(
        stack=stack,
        take_over=take_over,
        mended=tuple(mended),
        risks=(*resources.risks(found), *shorter_retention(found, before, after), *steps.unprotected(events)),
        resources=tuple(resources.resources(found, before, after)),
        topics=tuple(topics(found, before, after)),
        warnings=(*warnings, *steps.warnings(events)),
        counts=steps.counts(events),
    )


def changed_alerts(events: Sequence[EngineEvent], before: Files, after: Files) -> list[Affected]:
    """The alerts of Prometheus that are new or fire at other times, each with what it was."""
    return alerts_to_try(list(steps.steps(events)), before, after)
