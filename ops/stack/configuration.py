"""A stack's keys: what each is, where it comes from, and how it is changed in the repository's file."""

import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from config.keys import Keys, secret_keys
from config.project import PROJECT, ROOT
from config.reading import check_key, from_environment, problems_of
from config.stack_name import EPHEMERAL
from ops.errors import OpsError
from ops.stack.backend import explain
from ops.stack.stack_file import ENCRYPTION
from ops.stack.workspace import Workspace


@dataclass(frozen=True)
class Entry:
    """A key, its value as text (JSON for lists and objects; empty where it has none), and where that comes from."""

    key: str
    value: str
    source: str
    secret: bool


def entries(workspace: Workspace) -> Iterator[Entry]:
    """Every key of the project as the stack has it, in the order of config/keys.py."""
    written = _file(workspace)
    theirs = set(_read(written).get("config") or {})
    environment = from_environment()
    for name, field in Keys.model_fields.items():
        key = to_camel(name)
        value = workspace.configuration.get(key, "")
        default = _text(field.default)
        if f"{PROJECT}:{key}" in theirs and value:
            source = written.name
        elif value and (key in workspace.encrypted or value != default):
            source = "made by ops for this stack"
        elif key in environment:
            value, source = environment[key]
        else:
            value, source = default, "default"
        yield Entry(key, value, source, key in secret_keys())


def entry(workspace: Workspace, path: str) -> Entry:
    """One key, or what lies below it at a path such as `memory.loki`. Raises OpsError (exit code 2) for another."""
    key, below = _split(path)
    found = next(entry for entry in entries(workspace) if entry.key == key)
    if not below:
        return found
    value: Any = json.loads(found.value or "null")
    try:
        for part in below:
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (KeyError, IndexError, TypeError, ValueError):
        raise OpsError(f"{PROJECT}:{path} has no value; {PROJECT}:{key} is {found.value or 'empty'}", code=2) from None
    return Entry(path, _text(value), found.source, found.secret)


def change(workspace: Workspace, path: str, value: str, *, secret: bool) -> Path:
    """Write a key, or what lies below it at a path, into the repository's file of the stack, which it gives.

    It is encrypted as the stack's other secrets are where it is one, or where `secret` says so. Raises OpsError (exit
    code 2) for a key that there is not, or a value that it cannot have.
    """
    key, below = _split(path)
    secret = secret or key in secret_keys()
    if problems := problems_of(key, _changed(workspace.configuration.get(key, ""), below, value)):
        raise OpsError("\n".join(problems), code=2)
    file = _own_file(workspace)
    if secret:
        _keep_encryption(file, workspace)
    _pulumi(workspace, file, "set", path, ["--secret" if secret else "--plaintext"], value)
    return file


def remove(workspace: Workspace, path: str) -> Path:
    """Remove a key, or what lies below it, from the repository's file of the stack, which it gives."""
    file = _own_file(workspace)
    _pulumi(workspace, file, "rm", path, [], "")
    return file


def write_settings(workspace: Workspace, file: Path, settings: Mapping[str, str], secrets: Collection[str]) -> None:
    """Let `file` be a stack file with these settings (key -> text); of the secrets, those that the stack lacks now.

    What the stack has now is in its local file, which is put below every other.
    """
    declared = _read(ROOT / "Pulumi.yaml")["config"]
    nested = {key for key, about in declared.items() if about.get("type") in ("object", "array")}
    plain = {f"{PROJECT}:{key}": value for key, value in settings.items() if key not in secrets}
    plain |= {key: json.loads(value) for key, value in plain.items() if key in nested}
    file.write_text(yaml.safe_dump({"config": plain}))
    changed = {
        key: settings[key] for key in secrets if settings.get(key) not in (None, workspace.configuration.get(key))
    }
    if changed:
        _keep_encryption(file, workspace)
    for key, value in changed.items():
        _pulumi(workspace, file, "set", key, ["--secret"], value)


def _pulumi(workspace: Workspace, file: Path, verb: str, path: str, options: list[str], value: str) -> None:
    nested = ["--path"] if _parts(path)[1:] else []
    arguments = ["config", verb, "--config-file", str(file), *options, *nested, f"{PROJECT}:{path}"]
    # The value by standard input: among the arguments everybody on the machine could read it.
    done = workspace.pulumi(*arguments, capture_output=True, text=value)
    if done.returncode:
        raise OpsError(explain(done.stderr, workspace.stack.name))


def _split(path: str) -> tuple[str, list[str]]:
    """The key that a path begins with, and the rest of it. Raises OpsError (exit code 2) where there is no such key."""
    key, *below = _parts(path) or [""]
    if problem := check_key(key):
        raise OpsError(problem, code=2)
    return key, below


def _parts(path: str) -> list[str]:
    return re.findall(r"[^.\[\]\"]+", path)


def _changed(text: str, below: list[str], value: str) -> str:
    """The whole value of a key of which `value` is what lies `below`."""
    if not below:
        return value
    whole: Any = json.loads(text or "null")
    *way, last = below
    if whole is None:
        whole = [] if last.isdigit() else {}
    at = whole
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    typed = yaml.safe_load(value)
    if isinstance(at, list):
        at[int(last) :] = [typed, *at[int(last) + 1 :]]
    else:
        at[last] = typed
    return json.dumps(whole)


def _file(workspace: Workspace) -> Path:
    """The repository's file that the stack is made from."""
    own = ROOT / f"Pulumi.{workspace.stack.name}.yaml"
    return ROOT / "Pulumi.dev.yaml" if not own.exists() and EPHEMERAL.fullmatch(workspace.stack.name) else own


def _own_file(workspace: Workspace) -> Path:
    """The same, of this stack alone: a pull request's becomes a copy of dev's when it is first changed."""
    own = ROOT / f"Pulumi.{workspace.stack.name}.yaml"
    if not own.exists():
        shutil.copy(_file(workspace), own)
    return own


def _keep_encryption(file: Path, workspace: Workspace) -> None:
    """Let `file` say what the local one says of encryption: with another salt, the secrets made before were lost."""
    local = _read(Path(workspace.stack.workspace.work_dir) / f"Pulumi.{workspace.stack.name}.yaml")
    lines = {key: local[key] for key in sorted(ENCRYPTION) if key in local}
    if lines and not ENCRYPTION & set(_read(file)):
        file.write_text(file.read_text().rstrip() + "\n" + yaml.safe_dump(lines))


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
