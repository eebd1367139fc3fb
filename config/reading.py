"""The keys of one stack as they are written: in the Pulumi configuration, the environment and `.env`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from config.keys import Keys, environment_variables, secret_keys
from config.project import PROJECT, ROOT
from config.way_out import set_with
from config.wording import CONFIGURATION, malformed, unknown

# How a key that holds several values is written: Python's type of it -> JSON's type and name.
_STRUCTURES: Mapping[Any, tuple[type, str]] = {dict: (dict, "object"), tuple: (list, "list")}


@dataclass(frozen=True)
class Reading:
    """The keys as far as they are right, which of them are wrong (and have their default), and what is wrong."""

    keys: Keys
    wrong: set[str]
    problems: list[str]


def read(
    values: Mapping[str, str], encrypted: set[str] | None, environment: Mapping[str, str], dotenv: Path
) -> Reading:
    """Each key's value from where it comes first; a problem for what is malformed, unknown or a secret in clear."""
    kinds = {to_camel(name): get_origin(field.annotation) for name, field in Keys.model_fields.items()}
    problems = [unknown(key, kinds, "Pulumi.yaml lists all") for key in sorted(set(values) - set(kinds))]
    if encrypted is not None:
        problems += [
            f"{PROJECT}:{key} is a secret stored in clear in the stack's file; "
            f"store it with: {set_with(key, '', secret=True)}"
            for key in sorted(secret_keys())
            if values.get(key) not in (None, "", "{}") and key not in encrypted
        ]
    given = from_environment(environment, dotenv)
    given |= {key: (value, CONFIGURATION) for key, value in values.items() if key in kinds and value != ""}
    sources = {key: source for key, (_, source) in given.items()}
    found: dict[str, Any] = {}
    wrong = set()
    for key, (text, _) in given.items():
        try:
            found[key] = _structure(text, kinds[key]) if kinds[key] in _STRUCTURES else text
        except ValueError as error:
            problems.append(malformed([key], text, str(error), sources[key]))
            wrong.add(key)
    try:
        keys = Keys.model_validate(found)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0])
            message = detail["msg"].removeprefix("Value error, ")
            problems.append(malformed(detail["loc"], detail["input"], message[0].lower() + message[1:], sources[key]))
            wrong.add(key)
        keys = Keys.model_validate({key: value for key, value in found.items() if key not in wrong})
    return Reading(keys, wrong, problems)


def from_environment(
    environment: Mapping[str, str] = os.environ, dotenv: Path = ROOT / ".env"
) -> dict[str, tuple[str, str]]:
    """Key -> (value, where it comes from) of the keys that the environment or, after it, the file `dotenv` sets."""
    from_file = dotenv_values(dotenv, interpolate=False) if dotenv.is_file() else {}
    found = {}
    for key, variable in environment_variables().items():
        if value := environment.get(variable):
            found[key] = (value, f"environment variable {variable}")
        elif value := from_file.get(variable):
            found[key] = (value, f"{variable} in {dotenv.name}")
    return found


def check_key(key: str) -> str:
    """What is wrong with `key` (camelCase) as the name of a key; empty where it is one."""
    known = [to_camel(name) for name in Keys.model_fields]
    return "" if key in known else unknown(key, known, "Pulumi.yaml lists all")


def problems_of(key: str, text: str) -> list[str]:
    """What is wrong with `text` (JSON for lists and objects) as the value of `key`, a line for each problem."""
    return read({key: text}, None, {}, Path(os.devnull)).problems


def _structure(text: str, kind: Any) -> Any:
    python, name = _STRUCTURES[kind]
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, python):
        raise ValueError(f"must be a JSON {name}")
    return value
