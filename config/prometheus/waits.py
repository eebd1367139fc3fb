"""The waits of alerts, shortened for drills."""

import re

from config.durations import seconds, spelled

_WAIT = re.compile(r"^(\s+(?:for|keep_firing_for): )(\S+)$", re.MULTILINE)
_FOR = re.compile(r"^\s+for: (\S+)$", re.MULTILINE)
_EXPRESSION = re.compile(r"^\s+expr:.*?(?=^\s+(?:for|keep_firing_for|labels|annotations):)", re.MULTILINE | re.DOTALL)


def shorten_waits(rules: str) -> str:
    """The text of a rule file with every `for` and `keep_firing_for` at a tenth, and at most 30 s.

    A description that names the `for` ("for 1 minute") names the shortened one. Nothing else changes: expressions,
    windows and thresholds, which are a rule's logic, stay as they are, and so does what a text says of a window.
    """
    # Each alert by itself: what its text says of time belongs to its own `for`.
    return "".join(_shorter_alert(part) for part in re.split(r"^(?=\s+- alert: )", rules, flags=re.MULTILINE))


def is_window(duration: str, expression: str) -> bool:
    """Whether an expression looks back over this duration, itself or by a recording rule: then a text may mean that."""
    return bool(re.search(rf"\[{duration}\]|[a-z]{duration}\b", expression))


def _shorter_alert(alert: str) -> str:
    wait, expression = _FOR.search(alert), _EXPRESSION.search(alert)
    shortened = _WAIT.sub(_shorter, alert)
    if not wait or not expression or is_window(wait.group(1), expression.group()):
        return shortened
    said = r"\s+".join(["for", *spelled(wait.group(1)).split()])
    now = _shortened(wait.group(1))
    return re.sub(rf"\b{said}\b", f"for {spelled(now)}", shortened)


def _shorter(match: re.Match[str]) -> str:
    return match.group(1) + _shortened(match.group(2))


def _shortened(duration: str) -> str:
    wait = seconds(duration)
    return f"{int(min(30, max(10, wait / 10))) if wait else 0}s"
