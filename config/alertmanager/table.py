"""Who is told what, when, as tables: `python -m config.alertmanager.table` writes them into docs/alerting.md."""

from config.alertmanager.routes import OWN_ROUTE, PACE, inhibitions
from config.example import demo_settings
from config.pages import with_part
from config.project import ROOT
from config.settings import Settings

PAGE = ROOT / "docs/alerting.md"
SERVICES = {"P1": "PagerDuty, Slack, email", "P2": "Slack, email", "P3": "Slack"}


def told() -> str:
    """Who is told of which priority, how soon, and how often again."""
    rows = [
        f"| {priority} | {SERVICES[priority]} | {wait} | {interval} | {repeat} |"
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
        text = with_part(text, name, table)
    return text


def _matchers(matchers: list[str]) -> str:
    return ", ".join(f"`{matcher}`".replace("|", "\\|") for matcher in matchers)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), demo_settings()))
