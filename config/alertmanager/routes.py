"""The way of an alert through Alertmanager: which receiver, grouped how, how soon, how often; what keeps what quiet."""

from collections.abc import Iterable
from typing import Any

from config.alerting_keys import MuteTime, Receiver
from config.alertmanager.smoke import ROUTE
from config.settings import Settings

PACE = {
    "P1": ("10s", "1m", "1h"),
    "P2": ("30s", "5m", "4h"),
    "P3": ("1m", "10m", "24h"),
}
"""group_wait, group_interval, repeat_interval by priority: the more urgent, the sooner and the more often."""

OWN_ROUTE = {
    # A primary and its replica are two things: a second one in trouble is a second page.
    "database": ["component", "instance"],
    # Here an alert is about one instance or about all of them (a burning budget): the same fault, so one page.
    "websocket": ["component"],
    "api_gateway": ["component"],
    "business": ["component"],
}
"""Components whose alerts of a priority make one notification, and by which labels it is told from the next."""

# What runs on the Docker host in every stack, and what does where the backend runs there, too.
_ON_HOST = ("docker", "monitoring")
_BACKEND = ("database", "redis", "websocket", "api_gateway", "realtime", "business")
# Of anything that does not answer: ServiceDown, PostgreSQLDown, KongDown, ...
_DOWN = 'alertname=~".+Down"'


def route(settings: Settings) -> dict[str, Any]:
    """The tree of routes, as Alertmanager reads it."""
    alerting = settings.alerting
    return {
        "receiver": "P3",
        "group_by": ["alertname", "component", "instance"],
        "routes": [
            {
                "matchers": ['alertname="Watchdog"'],
                "receiver": "heartbeat",
                "group_wait": "0s",
                "group_interval": "1m",
                # Just below the interval: with the whole of it, every second call is found to come too early.
                "repeat_interval": "50s",
            },
            # Before every route that leads to a person.
            ROUTE,
            *(_further_route(receiver, alerting.mute_times) for receiver in alerting.receivers),
            # Email has a route and a receiver of its own: Alertmanager sets an SMTP server no time, and one that hangs
            # would hold for good what else is in its group.
            *(
                {**_priority_route(priority, f"{priority}-email", alerting.mute_times), "continue": True}
                for priority in ("P1", "P2")
            ),
            *(_priority_route(priority, priority, alerting.mute_times) for priority in PACE),
            # What carries no priority (somebody's own rule) must not be lost: it goes where P3 goes. It has a route, as
            # the root's receiver gets only what no route took, and a further receiver's may have taken it.
            {"matchers": [f'priority!~"{"|".join(PACE)}"'], "receiver": "P3"},
        ],
    }


def time_intervals(settings: Settings) -> dict[str, Any]:
    """The mute times, as Alertmanager reads them; empty where there are none."""
    intervals = [
        {
            "name": mute.name,
            "time_intervals": [
                {
                    **({"times": [_interval(times) for times in mute.times]} if mute.times else {}),
                    **({"weekdays": list(mute.weekdays)} if mute.weekdays else {}),
                    "location": mute.location,
                }
            ],
        }
        for mute in settings.alerting.mute_times
    ]
    return {"time_intervals": intervals} if intervals else {}


def inhibitions(settings: Settings) -> list[dict[str, Any]]:
    """What is kept quiet while something worse says the same.

    A label of `equal` that both sides lack counts as equal. No rule here silences the Watchdog, or a "...Down" by what
    is not the host.
    """
    on_host = _ON_HOST + (_BACKEND if settings.demo or settings.docker_network else ())
    host_down = ['alertname="ServiceDown"', 'component="system"']
    runs_on_it = f'component=~"{"|".join(on_host)}"'
    return [
        {
            # Also of alerts about a component as a whole, which have no instance: fast and slow burning budgets.
            "source_matchers": ['priority="P1"', 'component!=""'],
            "target_matchers": ['priority=~"P2|P3"'],
            "equal": ["component", "instance"],
        },
        {
            # It does not answer, or its exporter does not: what was measured of it is unknown, not wrong.
            "source_matchers": [_DOWN, 'component!=""', 'instance!=""'],
            "target_matchers": ['alertname!~".+Down"', 'priority=~"P1|P2|P3"'],
            "equal": ["component", "instance"],
        },
        {
            # Sums over all instances of a job miss the one that is down. A P1 over them is felt by users: it stays.
            "source_matchers": [_DOWN, 'component!=""', 'job!=""'],
            "target_matchers": ['instance=""', 'priority=~"P2|P3"'],
            "equal": ["component", "job"],
        },
        # The share of errors and the speed at which they spend the budget are one fault: of the two the P1 that names
        # the instance speaks, else the budget. (Each is P1 in one component and P2 in another.)
        {
            "source_matchers": ['alertname=~".+HighErrorRate"', 'priority="P1"'],
            "target_matchers": ['alertname=~".+ErrorBudgetBurn(Fast|Slow)"'],
            "equal": ["component"],
        },
        {
            "source_matchers": ['alertname=~".+ErrorBudgetBurnFast"'],
            "target_matchers": ['alertname=~".+HighErrorRate"', 'priority=~"P2|P3"'],
            "equal": ["component"],
        },
        # The two ends of the log pipeline: what one of them misses while the other is gone is the other's fault.
        {
            "source_matchers": ['alertname="ServiceDown"', 'job="loki"'],
            "target_matchers": ['alertname=~"LogShipper.+"'],
            "equal": ["component"],
        },
        {
            "source_matchers": ['alertname="ServiceDown"', 'job=~"promtail|alloy"'],
            "target_matchers": ['alertname="LogPipelineStopped"'],
            "equal": ["component"],
        },
        # The host is down, and so is what runs on it. What still measures something bad there (a P1 that is no
        # "...Down") shows that only node_exporter is, and stays.
        {"source_matchers": host_down, "target_matchers": [runs_on_it, _DOWN]},
        {"source_matchers": host_down, "target_matchers": [runs_on_it, 'priority=~"P2|P3"']},
    ]


def _further_route(receiver: Receiver, mute_times: Iterable[MuteTime]) -> dict[str, Any]:
    """A further receiver gets its alerts at the pace of their priorities; the stack's own get theirs none the less."""
    return {
        "matchers": list(receiver.matchers) or ['alertname!=""'],
        "receiver": receiver.name,
        "continue": True,
        "routes": [_priority_route(priority, receiver.name, mute_times) for priority in PACE],
    }


def _priority_route(priority: str, receiver: str, mute_times: Iterable[MuteTime]) -> dict[str, Any]:
    group_wait, group_interval, repeat_interval = PACE[priority]
    mine = [mute for mute in mute_times if priority in mute.priorities]
    always = [mute.name for mute in mine if not mute.matchers]
    return {
        "matchers": [f'priority="{priority}"'],
        "receiver": receiver,
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": repeat_interval,
        **_muted(always),
        "routes": [
            *(
                {
                    "matchers": list(mute.matchers),
                    "receiver": receiver,
                    **_muted([*always, mute.name]),
                    "routes": _component_routes(receiver, [*always, mute.name]),
                }
                for mute in mine
                if mute.matchers
            ),
            *_component_routes(receiver, always),
        ],
    }


def _component_routes(receiver: str, muted: list[str]) -> list[dict[str, Any]]:
    """One notification for each component in trouble, rather than one for each alert."""
    return [
        {"matchers": [f'component="{component}"'], "receiver": receiver, "group_by": list(group_by), **_muted(muted)}
        for component, group_by in OWN_ROUTE.items()
    ]


def _muted(names: list[str]) -> dict[str, Any]:
    """Alertmanager hands mute times down to no inner route: each route has to name them."""
    return {"mute_time_intervals": names} if names else {}


def _interval(times: str) -> dict[str, str]:
    start, end = times.split("-")
    return {"start_time": start, "end_time": end}
