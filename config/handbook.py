"""The pages of the handbook that are made from keys and rules: `python -m config.handbook` writes them anew."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic.alias_generators import to_camel

from config.alertmanager.smoke import ALERTS as SMOKE_ALERTS
from config.alertmanager.table import SERVICES
from config.defaults import default_thresholds
from config.example import demo_settings
from config.keys import Keys, environment_variables, secret_keys
from config.loki import rule_files
from config.project import PROJECT, ROOT
from config.prometheus import prometheus_files
from config.pulumi_yaml import declaration
from config.settings import Settings

# The first key of each group -> the group's headline.
GROUPS: Mapping[str, str] = {
    "demo": "What kind of stack it is",
    "dockerHost": "Where it runs",
    "imageMirror": "Where images come from",
    "scrapeInterval": "Metrics, alerts and logs",
    "grafanaMode": "Grafana",
    "postgresHost": "What is watched",
    "smtpHost": "Who is told",
}
# What is made for each job and each key metric, in one row.
_GUARDS = {
    "KeyMetricAbsent": "A target answers without a metric that rules need.",
    "ScrapeJobAbsent": "Prometheus has no target for a job.",
}
_THRESHOLDS = ROOT / "config/prometheus/thresholds.yaml"
_LOG_RULES = ROOT / "config/loki/rules"

_CONFIGURATION = """\
<!-- Made by `python -m config.handbook` from config/keys.py and config/prometheus/thresholds.yaml: change those. -->
# Configuration

A stack's keys stand in `Pulumi.<stack>.yaml`, each as `monitoring:<key>`. What a key may hold is checked before
anything is touched; a message names the key, the value and the way out.

```sh
ops config set postgresHost db.internal --stack prod
ops config set slackWebhookUrl --stack prod     # a secret: it is asked for, and encrypted
ops config set memory.loki 2048 --stack prod    # one entry of a key that is an object
ops config list --stack prod                    # every key, its value, and where that comes from
ops config rm grafanaPort --stack prod          # back to the default
```

Where a key is absent, its environment variable is read, then the same name in the file `.env`, and then the default
holds. A secret in clear in a stack's file is refused.
"""
_ALERTS = """\
<!-- Made by `python -m config.handbook` from config/prometheus/rules and config/loki/rules: change those. -->
# Alerts

Every alert, with its runbook. *Threshold*: the key of `config/prometheus/thresholds.yaml` and its default; a stack
changes it with `ops config set thresholds.KEY VALUE`. *After*: how long the condition must hold. Who is told by which
priority, how soon, and what keeps what quiet: [alerting](alerting.md).
"""


def configuration() -> str:
    """The page of the keys and of the thresholds."""
    parts = [_CONFIGURATION]
    for headline, names in _grouped().items():
        parts.append(
            f"## {headline}\n\n| key | type | default | environment | what it decides |\n|---|---|---|---|---|\n"
        )
        parts += [f"{_key_row(name)}\n" for name in names]
        parts.append("\n")
    parts.append(
        "## Thresholds of alerts\n\nThe key `thresholds` is an object of these: "
        "`ops config set thresholds.cpu_usage:ratio 0.9`. Alerts, dashboards and runbooks follow.\n\n"
        "| threshold | default | unit | what it decides |\n|---|---|---|---|\n"
    )
    table = yaml.safe_load(_THRESHOLDS.read_text())
    parts += [
        f"| `{key}` | {entry['default']:g} | {entry['unit']} | {_cell(entry['description'])} |\n"
        for key, entry in table.items()
    ]
    return _joined(parts)


def alerts(settings: Settings) -> str:
    """The page of the alerts; `settings` are those of a demo stack, which has all of them."""
    found = list(_rules(settings))
    parts = [_ALERTS]
    for component in dict.fromkeys(component for component, _, _ in found):
        parts.append(
            f"## {component}\n\n| alert | priority | what it says | threshold | after | told by |\n"
            "|---|---|---|---|---|---|\n"
        )
        rows = {_alert_row(rule, written): None for group, rule, written in found if group == component}
        parts += [f"{row}\n" for row in sorted(rows, key=_by_priority)]
        parts.append("\n")
    return _joined(parts)


def pages() -> dict[Path, str]:
    """Each page that is made, and what it must contain."""
    settings = demo_settings(grafanaMode="none")
    return {ROOT / "docs/configuration.md": configuration(), ROOT / "docs/alerts.md": alerts(settings)}


def _grouped() -> dict[str, list[str]]:
    """Headline -> its fields, in the order of config/keys.py."""
    grouped: dict[str, list[str]] = {}
    for name in Keys.model_fields:
        if to_camel(name) in GROUPS:
            grouped[GROUPS[to_camel(name)]] = []
        grouped[next(reversed(grouped))].append(name)
    return grouped


def _key_row(name: str) -> str:
    key = to_camel(name)
    field = Keys.model_fields[name]
    entry = declaration()["config"][f"{PROJECT}:{key}"]
    variable = f"`{environment_variables()[key]}`" if key in environment_variables() else ""
    default = json.dumps(field.default) if isinstance(field.default, (dict, bool)) else str(field.default)
    shown = "" if field.default in (None, "", (), {}) else f"`{_cell(default)}`"
    return (
        f"| `{key}` | {_type(field.annotation, entry, key)} | {shown} | {variable} | {_cell(field.description or '')} |"
    )


def _type(annotation: Any, entry: Mapping[str, Any], key: str) -> str:
    """What a key may hold, in a word or two."""
    if key in secret_keys():
        return "secret object" if entry["type"] == "object" else "secret"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" if value else "empty" for value in get_args(annotation))
    if "int" in str(annotation):
        return "number"
    return {"boolean": "`true` or `false`", "array": "list"}.get(entry["type"], str(entry["type"]))


def _rules(settings: Settings) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Component, alert, and its expression as it is written, with the names of thresholds in it."""
    written = {
        rule["alert"]: rule["expr"]
        for path in sorted(_LOG_RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    prometheus = {path: text for path, text in prometheus_files(settings, {}).items() if path.startswith("rules/")}
    for text in (*prometheus.values(), *rule_files(settings).values()):
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    component = rule["labels"].get("component") or "of the component that it is about"
                    yield str(component), rule, str(written.get(rule["alert"], rule["expr"]))


def _alert_row(rule: Mapping[str, Any], expression: str) -> str:
    name, priority = rule["alert"], rule["labels"]["priority"]
    keys = dict.fromkeys(re.findall(r"threshold:([a-z0-9_]+:[a-z]+)", expression))
    thresholds = ", ".join(f"`{key}` {default_thresholds()[key]:g}" for key in keys)
    told = SERVICES.get(priority, "the smoke test's own container" if name in SMOKE_ALERTS else "the heartbeat")
    summary = _GUARDS.get(name) or _cell(rule["annotations"]["summary"])
    return f"| [{name}](runbooks/{name}.md) | {priority} | {summary} | {thresholds} | {rule['for']} | {told} |"


def _by_priority(row: str) -> tuple[str, str]:
    cells = row.split(" | ")
    return cells[1], cells[0]


def _cell(text: str) -> str:
    """A text as a cell of a table holds it."""
    return " ".join(text.split()).replace("|", "\\|")


def _joined(parts: list[str]) -> str:
    return "\n".join([parts[0], "".join(parts[1:])]).rstrip() + "\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
