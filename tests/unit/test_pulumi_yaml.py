"""Pulumi.yaml and the stacks' files say what the settings understand."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.keys import Keys, secret_keys
from config.project import PROJECT, ROOT
from config.pulumi_yaml import text
from config.settings import load
from tests.unit.test_settings import SECRETS

STACK_FILES = sorted(path for path in ROOT.glob("Pulumi.*.yaml"))


def as_pulumi_does(value: Any) -> str:
    """A value of a stack's file as the program reads it."""
    return value if isinstance(value, str) else json.dumps(value)


def configuration(path: Path) -> dict[str, str]:
    """Key -> text of a stack's file, over the defaults that Pulumi.yaml declares."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    values = {key: entry["default"] for key, entry in declared.items()}
    values |= yaml.safe_load(path.read_text())["config"]
    return {key.removeprefix(f"{PROJECT}:"): as_pulumi_does(value) for key, value in values.items()}


def test_pulumi_yaml_is_what_the_keys_make() -> None:
    assert (ROOT / "Pulumi.yaml").read_text() == text(), "write it anew: uv run python -m config.pulumi_yaml"


def test_every_key_has_type_default_and_description() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert len(declared) == len(Keys.model_fields)
    for entry in declared.values():
        assert entry["type"] in ("string", "integer", "boolean", "object", "array")
        assert "default" in entry
        assert entry["description"]


def test_no_secret_has_a_default() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert not any(declared[f"{PROJECT}:{key}"]["default"] for key in secret_keys())


def test_there_is_a_file_for_dev_and_for_prod() -> None:
    assert {"Pulumi.dev.yaml", "Pulumi.prod.yaml"} <= {path.name for path in STACK_FILES}


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_a_stacks_file_has_no_secret_and_loads_when_they_are_given(path: Path) -> None:
    stack = path.name.split(".")[1]
    values = configuration(path)
    assert not {key for key in secret_keys() if values.get(key, "") not in ("", "{}")}
    backend = {
        "POSTGRES_HOST": "db.example",
        "REDIS_HOST": "cache.example",
        "SLACK_WEBHOOK_URL": "https://slack.example/x",
    }
    found = load(stack, {**values, **SECRETS}, environment=backend, dotenv=Path("/nonexistent"))
    assert found.stack == stack


def test_prod_protects_its_data_and_watches_an_existing_backend() -> None:
    backend = {
        "POSTGRES_HOST": "db.example",
        "REDIS_HOST": "cache.example",
        "SLACK_WEBHOOK_URL": "https://slack.example/x",
    }
    values = {**configuration(ROOT / "Pulumi.prod.yaml"), **SECRETS}
    found = load("prod", values, environment=backend, dotenv=Path("/nonexistent"))
    assert found.protect
    assert not found.demo
    assert found.backend.postgres[0].host == "db.example"
    assert found.backend.kong
    assert found.backend.websocket


def test_dev_runs_the_demo_backend_and_needs_nothing_but_secrets() -> None:
    values = {**configuration(ROOT / "Pulumi.dev.yaml"), **SECRETS}
    found = load("dev", values, environment={}, dotenv=Path("/nonexistent"))
    assert found.demo
    assert not found.protect
    assert not found.drill
