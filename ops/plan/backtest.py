"""The new and changed alerts against the past of a Prometheus that somebody names; it is asked no more than allowed."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from config.durations import seconds
from ops.plan.affected import Affected
from ops.plan.firing import firing
from ops.plan.model import Backtest, Firing, Trial
from ops.plan.rules import Rule

# Points of one series that Prometheus gives in one answer at most (web/api/v1/api.go: "exceeded maximum resolution of
# 11,000 points per timeseries").
_POINTS = 11_000
# Seconds that one answer may take, of those that are left.
_ANSWER = 30.0
_CONNECT = 5.0
# Alerts that are named as those that were not tried.
_NAMED = 6
# An answer that is longer is not read to its end: an expression without a limit gives every series at every point.
_BYTES = 50_000_000


@dataclass(frozen=True)
class Limits:
    """What a backtest may ask: how many queries, for how many seconds of its own time in all, and how many points a
    series has at most in one look at an alert (a longer window is then looked at less often).
    """

    queries: int = 200
    seconds: float = 60
    points: int = 44_000


class _Refused(Exception):
    """Why Prometheus gave no answer, in one line."""


class _Spent(Exception):
    """The limits are reached."""


@dataclass
class _Prometheus:
    """One that is asked within limits."""

    client: httpx.Client
    limits: Limits
    started: float = field(default_factory=time.monotonic)
    asked: int = 0

    @property
    def left(self) -> float:
        """Seconds that may still be spent."""
        return self.limits.seconds - (time.monotonic() - self.started)

    def ask(self, path: str, *, get: bool = False, **parameters: Any) -> Any:
        """The data that it answers with. Raises _Refused where it gives none, _Spent where nothing may be asked."""
        if self.asked >= self.limits.queries or self.left <= 0:
            raise _Spent
        self.asked += 1
        wait = min(_ANSWER, self.left)
        # Prometheus gives a query up after that time, too.
        values = {**parameters, "timeout": f"{wait:.3f}"}
        request = self.client.build_request(
            "GET" if get else "POST",
            f"/api/v1/{path}",
            params=values if get else None,
            data=None if get else values,
            timeout=httpx.Timeout(wait + 1, connect=min(_CONNECT, wait)),
        )
        try:
            document = json.loads(self._body(request))
        except httpx.HTTPError as error:
            raise _Refused(f"it does not answer: {error or type(error).__name__}") from None
        except ValueError:
            raise _Refused("it does not answer as a Prometheus does") from None
        if not isinstance(document, dict) or document.get("status") != "success":
            said = document.get("error") if isinstance(document, dict) else None
            raise _Refused(" ".join(str(said or "it does not answer as a Prometheus does").split()))
        return document["data"]

    def _body(self, request: httpx.Request) -> bytes:
        answer = self.client.send(request, stream=True)
        try:
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > _BYTES:
                    raise _Refused(f"its answer is longer than {_BYTES // 1_000_000} MB")
            return bytes(body)
        finally:
            answer.close()


def backtest(
    url: str,
    window: float,
    alerts: Sequence[Affected],
    *,
    interval: float,
    limits: Limits,
    now: Callable[[], float] = time.time,
) -> Backtest:
    """Try the alerts, each with what it was before, over the last `window` seconds at the Prometheus at `url`.

    `interval` is the seconds between two evaluations where a rule's group says nothing else. Raises nothing: what goes
    wrong is said in the result.
    """
    found = Backtest(_without_credentials(url), window)
    if not alerts:
        return found
    with httpx.Client(base_url=url.rstrip("/"), follow_redirects=True) as client:
        prometheus = _Prometheus(client, limits)
        # A whole second, so that the times of two queries fit together.
        end = float(int(now()))
        try:
            covered = _covered(prometheus, end - window, end)
        except (_Refused, _Spent) as error:
            return Backtest(found.url, window, problem=f"nothing was tried: {error or 'nothing may be asked'}")
        trials = tuple(_trials(prometheus, alerts, end, window, interval))
        return Backtest(found.url, window, covered, trials, _left_out(alerts[len(trials) :], limits))


def _trials(
    prometheus: _Prometheus,
    alerts: Sequence[Affected],
    end: float,
    window: float,
    interval: float,
) -> Iterator[Trial]:
    for alert in alerts:
        old, new = alert.before, alert.after
        every = seconds(new.interval) if new.interval else interval
        step = max(every, float(math.ceil(window / prometheus.limits.points)))
        started = time.monotonic()
        try:
            after = _fired(prometheus, new, end, window, step)
            before = _fired(prometheus, old, end, window, step) if old else None
            cost = _cost(prometheus, new, end)
            took = time.monotonic() - started
            notes = [_missing(prometheus, new, end, window)]
            if alert.as_today:
                notes.append(f"{', '.join(alert.as_today)} as recorded until now")
            if step > every:
                notes.append("shorter than a look at it, it is not seen")
            yield Trial(new.name, step, before, after, took, *cost, "; ".join(filter(None, notes)))
        except _Refused as error:
            yield Trial(new.name, step, note=f"not tried: {error}")
        except _Spent:
            return


def _left_out(alerts: Sequence[Affected], limits: Limits) -> str:
    """Which alerts were not tried because of the limits; empty where all were."""
    if not alerts:
        return ""
    names = ", ".join(alert.after.name for alert in alerts[:_NAMED])
    more = f" and {len(alerts) - _NAMED} more" if len(alerts) > _NAMED else ""
    asked = f"{limits.queries} queries and {limits.seconds:g} s are the limit of what is asked"
    return f"not tried, as {asked}: {names}{more}"


def _fired(prometheus: _Prometheus, rule: Rule, end: float, window: float, step: float) -> Firing:
    """How often `rule` would have fired; the window is asked for piece by piece."""
    count = int(window / step) + 1
    first = round(end - step * (count - 1), 3)
    looks = [round(first + step * number, 3) for number in range(count)]
    seen: dict[str, set[float]] = {}
    for start in range(0, count, _POINTS):
        piece = looks[start : start + _POINTS]
        answer = prometheus.ask("query_range", query=rule.expr, start=piece[0], end=piece[-1], step=f"{step:.3f}")
        for series in answer["result"]:
            labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
            # By their number, as the step is not exact in a float.
            times = {looks[round((float(time) - first) / step)] for time, _ in series["values"]}
            seen.setdefault(str(sorted(labels.items())), set()).update(times)
    return firing(seen, looks, seconds(rule.waits.get("for", "0s")), seconds(rule.waits.get("keep_firing_for", "0s")))


def _cost(prometheus: _Prometheus, rule: Rule, end: float) -> tuple[float | None, int | None]:
    """The seconds that one evaluation takes, and how many samples it reads, as Prometheus counts them."""
    stats = prometheus.ask("query", query=rule.expr, time=end, stats="all").get("stats") or {}
    taken = (stats.get("timings") or {}).get("evalTotalTime")
    return taken, (stats.get("samples") or {}).get("totalQueryableSamples")


def _covered(prometheus: _Prometheus, start: float, end: float) -> float:
    """For how many seconds of the window there is anything at all, from the first series on."""
    step = max((end - start) / 1000, 1)
    answer = prometheus.ask("query_range", query="count(up)", start=start, end=end, step=f"{step:.3f}")
    times = [float(time) for series in answer["result"] for time, _ in series["values"]]
    return min(end - start, end - min(times)) if times else 0.0


def _missing(prometheus: _Prometheus, rule: Rule, end: float, window: float) -> str:
    """Which series the expression names that were not there in the whole window: then the figure says little."""
    try:
        names = sorted(_names(prometheus.ask("parse_query", query=rule.expr)))
        if not names:
            return ""
        selector = f'{{__name__=~"{"|".join(names)}"}}'
        arguments = {"match[]": selector, "start": end - window, "end": end}
        there = prometheus.ask("label/__name__/values", get=True, **arguments)
    except _Refused:
        return ""  # an older one, which parses for nobody
    gone = [name for name in names if name not in there]
    return f"it had no series {', '.join(gone)} in that time, so this says little" if gone else ""


def _names(node: Any) -> set[str]:
    """The names of the series in a parsed expression."""
    if isinstance(node, Mapping):
        own = {str(node["name"])} if node.get("type") in ("vectorSelector",) and node.get("name") else set()
        return own.union(*(_names(content) for content in node.values()))
    if isinstance(node, list):
        return set().union(*(_names(one) for one in node))
    return set()


def _without_credentials(url: str) -> str:
    """An address as it may be shown: without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
