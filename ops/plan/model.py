"""The plan: what an update would change, in the words of what changes. Plain data; nothing in it is secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SECRET = "[secret]"
"""What stands where a secret would: the same for each, so that it does not tell even how long that is."""


Verb = Literal["added", "removed", "changed", "moved", "broken"]


@dataclass(frozen=True)
class Detail:
    """One property that changes, and what it was and becomes; empty where it was not there, or will not be.

    Both are empty where `name` is all that is said: of what is secret, or a text whose lines are in a diff.
    """

    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Change:
    """A change in the words of what it is about: the alert HighCPUUsage is changed, and of it these `details`.

    `note` is what a reviewer should know besides; of a file that is broken, what is wrong with it.
    """

    verb: Verb
    what: str
    name: str
    details: tuple[Detail, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Diff:
    """The changed lines of one file of a service (or of a dashboard), and how many come and go."""

    service: str
    path: str
    added: int
    removed: int
    lines: str


RULES = "Alerts and rules"
"""The title of the topic that a backtest belongs to."""


@dataclass(frozen=True)
class Topic:
    """What changes in one subject, such as alerts and rules, and the text behind it."""

    title: str
    changes: tuple[Change, ...]
    diffs: tuple[Diff, ...]


@dataclass(frozen=True)
class Outage:
    """A service that is away while its container is replaced.

    `meanwhile` says what that means for people. `stops_within` is the seconds that it gets to stop. `measured` is how
    many seconds it was away when this project replaced it on purpose; None where nobody measured it.
    """

    meanwhile: str
    stops_within: int
    measured: float | None


@dataclass(frozen=True)
class Resource:
    """A container, volume, network or other thing that is made, changed in place, replaced or removed.

    `because` is what forces a replacement; for a change in place, what changes. `also` changes besides. `once` says
    that the container does its work and ends, such as what writes a configuration: nothing is away while it is made
    anew. `data` says what happens to what it keeps, and `lost` whether that is lost.
    """

    verb: Literal["made", "changed", "replaced", "removed"]
    kind: str
    service: str
    name: str
    because: tuple[Detail, ...] = ()
    also: tuple[Detail, ...] = ()
    once: bool = False
    outage: Outage | None = None
    data: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Firing:
    """How often an alert would have fired, for how many seconds in all, and the longest time; in how many `series`."""

    times: int
    seconds: float
    longest: float
    series: int


@dataclass(frozen=True)
class Trial:
    """One alert against the past: `before` with the expression that it has, `after` with the new one.

    Either is None where the alert is not there on that side. `step` is the seconds between two looks, `took` the
    seconds that the queries took. `cost_seconds` and `cost_samples` are what one evaluation takes and reads, None where
    it is not known. `note` says what limits the figure, or why there is none.
    """

    alert: str
    step: float
    before: Firing | None = None
    after: Firing | None = None
    took: float = 0
    cost_seconds: float | None = None
    cost_samples: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Backtest:
    """The new and changed alerts against the past of the Prometheus at `url`: the window asked for, in seconds.

    `covered` is for how many seconds of it that Prometheus has anything. `problem` says in one line why nothing could
    be asked, or what was left out.
    """

    url: str
    window: float
    covered: float = 0
    trials: tuple[Trial, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """What `up` would do to the stack.

    take_over   what is said where the stack runs and the state does not know it
    mended      what somebody changed by hand, and `up` puts right
    risks       data that is lost, or may be
    resources   what is made, changed, replaced and removed
    topics      rules, routes, scrape jobs, log pipelines, dashboards and other files
    warnings    what the program warns of
    counts      operation of Pulumi -> number of resources
    backtest    the new and changed alerts against the past
    """

    stack: str
    take_over: str = ""
    mended: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    topics: tuple[Topic, ...] = ()
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None
    backtest: Backtest | None = None

    @property
    def empty(self) -> bool:
        """Whether `up` would change nothing."""
        changes = any(operation != "same" for operation in self.counts or {})
        return not (changes or self.mended or self.take_over or self.risks or self.resources or self.topics)
