"""Reading the rules: what the tests of this directory share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.example import demo_settings
from config.loki import rule_files
from config.project import ROOT
from config.settings import Settings, load

RULES = ROOT / "config/prometheus/rules"
LOG_RULES = ROOT / "config/loki/rules"
RUNBOOKS = ROOT / "docs/runbooks"
CASES = Path(__file__).parent / "cases"

_DEMO = {"runbookBaseUrl": "https://runbooks.example", "grafanaUrl": "https://grafana.example"}
_EXISTING = {
    "postgresHost": "db.example",
    "redisHost": "cache.example",
    "noReceivers": "true",
    "grafanaUrl": "https://grafana.example",
    "grafanaMode": "external",
    "grafanaToken": "x",
    "kongAddresses": '["kong-1.example:8100", "kong-2.example:8100"]',
    "postgresPassword": "x",
}


@dataclass(frozen=True)
class Rule:
    """One rule: the file and the group it stands in, its name (of the alert or of the series), and its YAML."""

    file: str
    group: str
    name: str
    body: Mapping[str, Any]

    @property
    def is_alert(self) -> bool:
        """Whether it is an alert, and not a recording rule."""
        return "alert" in self.body


def dev(**values: str) -> Settings:
    """Settings of a stack with the demo backend; `values` are configuration keys."""
    return demo_settings(**{**_DEMO, **values})


def prod(**values: str) -> Settings:
    """Settings of a stack that watches an existing backend without Realtime, WebSocket server and application."""
    return load("prod", {**_EXISTING, **values}, environment={}, dotenv=Path("/nonexistent"))


def rules_of(files: Mapping[str, str]) -> Iterator[Rule]:
    """The rules in files as `prometheus_files` gives them."""
    for path, text in files.items():
        if path.startswith("rules/"):
            for group in yaml.safe_load(text)["groups"]:
                for body in group["rules"]:
                    yield Rule(path, group["name"], body.get("alert") or body["record"], body)


def written_rules() -> list[Rule]:
    """The rules that are written by hand, in config/prometheus/rules."""
    return list(rules_of({f"rules/{path.name}": path.read_text() for path in sorted(RULES.glob("*.yml"))}))


def written_log_rules() -> list[Rule]:
    """The rules of Loki, as they are written: those that are made are the like of each other, so one stands for all."""
    written = {f"rules/{path.name}": path.read_text() for path in sorted(LOG_RULES.glob("*.yml"))}
    made = {"rules/silence.yml": rule_files(dev())["fake/silence.yml"]}
    return list({rule.name: rule for rule in rules_of({**made, **written})}.values())
