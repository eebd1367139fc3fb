"""Who is told what, when, as tables: `python -m config.alertmanager.table` writes them into docs/alerting.md."""

from typing import Any

from config.alertmanager.routes import OWN_ROUTE, PACE, inhibitions
from config.project import ROOT
from config.settings import Settings

PAGE = ROOT / "docs/alerting.md"
_MARKS = {name: (f"<!-- {name}: made by config.alertmanager.table -->", f"<!-- end of {name} -->")
          for name in ("told", "grouped", "inhibited")}  # fmt: skip
_SERVICES = {"P1": "PagerDuty, Slack, email", "P2": "Slack, email", "P3": "Slack"}


def told() -> str:
    """Who is told of which priority, how soon, and how often again."""
    rows = [
        f"| {priority} | {_SERVICES[priority]} | {wait} | {interval} | {repeat} |"
        for priority, (wait, interval, repeat) in PACE.items()
    ]
    head = [
        "| priority | told by | first message after | news of the same group after | again, if it lasts, after |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, "| Watchdog | the heartbeat | 0s | 1m | 1m |"])


def grouped() -> str:
    """What makes one message."""
    rows = [f"| {component} | {', '.join(labels)} |" for component, labels in OWN_ROUTE.items()]
    return "\n".join(
        ["| component | one message for each |", "|---|---|", *rows, "| any other | alertname, component, instance |"]
    )


def inhibited(settings: Settings) -> str:
    """What is kept quiet by what."""
    rows = [
        f"| {_matchers(rule['source_matchers'])} | {_matchers(rule['target_matchers'])} "
        f"| {', '.join(rule.get('equal', ())) or '-'} |"
        for rule in inhibitions(settings)
    ]
    return "\n".join(["| while this fires | this is kept quiet | of the same |", "|---|---|---|", *rows])


def page(text: str, settings: Settings) -> str:
    """The page with its tables made anew; ValueError where it has no place for one."""
    for name, table in (("told", told()), ("grouped", grouped()), ("inhibited", inhibited(settings))):
        begin, end = _MARKS[name]
        if begin not in text or end not in text:
            raise ValueError(f"docs/alerting.md has no place for the table {name!r}: it needs {begin} and {end}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def _matchers(matchers: list[str]) -> str:
    return ", ".join(f"`{matcher}`".replace("|", "\\|") for matcher in matchers)


def _main() -> None:
    from pathlib import Path

    from config.settings import load

    secrets: dict[str, Any] = dict.fromkeys(
        ("postgresPassword", "redisPassword", "realtimeMetricsSecret"), "only-for-the-tables-of-the-documentation"
    )
    keys = {"demo": "true", "grafanaMode": "none", **secrets}
    PAGE.write_text(page(PAGE.read_text(), load("dev", keys, environment={}, dotenv=Path("/nonexistent"))))


if __name__ == "__main__":
    _main()
