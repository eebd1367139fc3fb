"""Rules, routes, scrape jobs, log pipelines, dashboards and other files: what changes, in the words of each."""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

import yaml

from ops.plan import jobs, logs, pages, routes, rules
from ops.plan.affected import Affected, affected
from ops.plan.files import Files, Text
from ops.plan.model import RULES, Change, Diff, Topic, Verb
from ops.plan.steps import Step
from ops.stack.state import CONTAINER, service_of

ROUTES, JOBS, LOGS, DASHBOARDS, FILES = "Notifications", "Scrape jobs", "Log pipelines", "Dashboards", "Other files"
_ORDER = (RULES, ROUTES, JOBS, LOGS, DASHBOARDS, FILES)
# The files that have a reader of their own, by how their path ends.
_READERS: Mapping[str, tuple[str, Callable[[str, str], Iterator[Change]]]] = {
    "/alertmanager.yml": (ROUTES, routes.changes),
    "/prometheus.yml": (JOBS, jobs.changes),
    "/config.alloy": (LOGS, logs.alloy_changes),
    "/promtail.yaml": (LOGS, logs.promtail_changes),
    "/loki.yaml": (LOGS, logs.loki_changes),
}
# config/alertmanager/limits.py makes it out of rules and thresholds.
_LIMITS = "limits.tmpl"
_BY_SERVICE = {"alertmanager": ROUTES, "alloy": LOGS, "promtail": LOGS, "loki": LOGS}
# Characters.
_LONG_LINE = 300
# What a file that its reader does not understand may raise: the service's own tool will say what is wrong with it.
_UNREADABLE = (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError)


def topics(steps: Sequence[Step], before: Files, after: Files) -> list[Topic]:
    """What changes in each subject, of what is there on both sides: all that is in a new service is new."""
    found: dict[str, tuple[list[Change], list[Diff]]] = {title: ([], []) for title in _ORDER}
    told: set[tuple[str, str, str]] = set()
    for step in steps:
        if step.type == CONTAINER and step.verb == "replaced":
            _of_files(_service(step), before.get(step.name, {}), after.get(step.name, {}), told, found)
        elif step.kind == "dashboard":
            _of_dashboard(step, *found[DASHBOARDS])
    return [Topic(title, tuple(changes), tuple(diffs)) for title, (changes, diffs) in found.items() if changes or diffs]


def alerts_to_try(steps: Sequence[Step], before: Files, after: Files) -> list[Affected]:
    """The alerts of Prometheus that are new or changed, each with what it was; those of changed thresholds, too."""
    for step in steps:
        if step.name == "prometheus-config-writer":
            try:
                old, new = (_rules(side.get(step.name, {})) for side in (before, after))
            except _UNREADABLE:
                return []
            return affected(old, new)
    return []


def shorter_retention(steps: Sequence[Step], before: Files, after: Files) -> Iterator[str]:
    """Which log lines are deleted sooner, in words."""
    for step in steps:
        for path, new in after.get(step.name, {}).items() if step.name == "loki-container" else ():
            old = before.get(step.name, {}).get(path)
            if old and path.endswith("/loki.yaml"):
                with suppress(*_UNREADABLE):
                    yield from logs.shorter_retention(old.content, new.content)


def _of_files(
    service: str,
    before: Mapping[str, Text],
    after: Mapping[str, Text],
    told: set[tuple[str, str, str]],
    found: Mapping[str, tuple[list[Change], list[Diff]]],
) -> None:
    paths = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    if any(_is_rule(path) for path in paths):
        changes, _ = found[RULES]
        changes += _of_rules(before, after, "log alert" if service == "loki" else "alert")
    for path in paths:
        old, new = before.get(path, Text("")), after.get(path, Text(""))
        # What checks a configuration has the very files of what runs with it.
        if old.secret or new.secret or (path, old.content, new.content) in told:
            continue
        told.add((path, old.content, new.content))
        title, read = next(
            (reader for end, reader in _READERS.items() if path.endswith(end)),
            (RULES if _is_rule(path) else _BY_SERVICE.get(service, FILES), None),
        )
        changes, diffs = found[title]
        if read and path in before and path in after:
            changes += _tried(path, partial(read, old.content, new.content))
        elif not _is_rule(path):
            verb: Verb = "changed" if path in before and path in after else "added" if path in after else "removed"
            changes.append(_of_file(verb, service, path))
        diffs.append(_diff(service, path, old.content, new.content))


def _of_file(verb: Verb, service: str, path: str) -> Change:
    if not path.endswith(".tmpl"):
        return Change(verb, "file", f"{service} {path}")
    name = path.rsplit("/", 1)[-1]
    return Change(verb, "template of messages", name, note="the limits that they name" if name == _LIMITS else "")


def _of_dashboard(step: Step, changes: list[Change], diffs: list[Diff]) -> None:
    old, new = str(step.before.get("configJson") or "{}"), str(step.after.get("configJson") or "{}")
    if step.verb in ("made", "removed"):
        title = str(json.loads(new if step.verb == "made" else old).get("title") or step.name)
        changes.append(Change("added" if step.verb == "made" else "removed", "dashboard", title))
        return
    changes += _tried(step.name, lambda: pages.changes(old, new))
    diff = _diff("grafana", step.name, _indented(old), _indented(new))
    diffs += [diff] if diff.lines else []


def _of_rules(before: Mapping[str, Text], after: Mapping[str, Text], alert: str) -> Iterator[Change]:
    """What changes in rules; a file that cannot be read is told as that, and is left out on both sides."""
    old: dict[str, list[rules.Rule]] = {}
    new: dict[str, list[rules.Rule]] = {}
    broken: set[str] = set()
    for side, files in ((old, before), (new, after)):
        for path, text in files.items():
            if _is_rule(path):
                try:
                    side[path] = rules.read({path: text.content})
                except _UNREADABLE as error:
                    broken.add(path)
                    yield Change("broken", "file", path, note=_reason(error))
    was, becomes = ([rule for path in side if path not in broken for rule in side[path]] for side in (old, new))
    yield from rules.changes(was, becomes, alert)


def _tried(what: str, changes: Callable[[], Iterator[Change]]) -> list[Change]:
    """The changes, or that they cannot be read."""
    try:
        return list(changes())
    except _UNREADABLE as error:
        return [Change("broken", "file", what, note=_reason(error))]


def _reason(error: Exception) -> str:
    """What is wrong with a file, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(f"{type(error).__name__}: {error}".split())


def _rules(files: Mapping[str, Text]) -> list[rules.Rule]:
    return rules.read({path: text.content for path, text in files.items() if _is_rule(path)})


def _service(step: Step) -> str:
    """The service whose files a container has, which may be one that only checks or writes them."""
    return service_of(step.urn).removesuffix("-config").removesuffix("-check")


def _is_rule(path: str) -> bool:
    return "/rules/" in path and path.endswith(".yml")


def _indented(text: str) -> str:
    """A dashboard by lines, without the places of its panels: those below a new one would all be in the diff."""
    page = json.loads(text)
    for panel in page.get("panels") or ():
        for shown in (panel, *(panel.get("panels") or ())):
            shown.pop("gridPos", None)
    page.get("panels", []).sort(key=lambda panel: str(panel.get("title")))
    return json.dumps(page, indent=1, sort_keys=True)


def _diff(service: str, path: str, old: str, new: str) -> Diff:
    lines = list(difflib.unified_diff(_split(old), _split(new), lineterm=""))[2:]
    added = sum(line.startswith("+") for line in lines)
    return Diff(service, path, added, sum(line.startswith("-") for line in lines), "\n".join(lines))


def _split(text: str) -> list[str]:
    """The lines of a text; of one that is very long, as in a template, each branch by itself."""
    return [
        part
        for line in text.splitlines()
        for part in (line.replace("{{ else", "\n{{ else").split("\n") if len(line) > _LONG_LINE else [line])
    ]
