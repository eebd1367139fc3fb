"""A stack's local file: the repository's, and what only this machine has: generated secrets, ports that were found."""

import copy
import fcntl
import os
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from config.keys import Keys
from config.ports import PORT_KEYS, ports_of
from config.project import PROJECT, ROOT
from config.stack_name import EPHEMERAL
from ops.errors import OpsError

# How a stack's file says how its secrets are encrypted.
ENCRYPTION = frozenset({"encryptionsalt", "encryptedkey", "secretsprovider"})

FindPorts = Callable[[str, Collection[str], Collection[int]], Mapping[str, int]]
"""Address of the Docker engine, services, ports that are not to be taken -> service -> a port that is free."""


def write(name: str, directory: Path, overrides: Mapping[str, str], find_ports: FindPorts | None) -> None:
    """Bring the file of the stack `name` in `directory` to what the repository says now.

    A pull request's stack that has no ports yet gets those that `find_ports` finds; with None it stays without.
    `overrides` are what is put over the configuration for this command. Raises OpsError where there is no such stack.
    """
    path = directory / f"Pulumi.{name}.yaml"
    # One command at a time, so that no two stacks that are made beside each other find the same ports free.
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        merged = stack_configuration(name, path)
        if find_ports and EPHEMERAL.fullmatch(name):
            merged["config"] |= _own_ports(name, merged["config"], path, overrides, find_ports)
        replace(path, yaml.safe_dump(merged, sort_keys=True))


def stack_configuration(name: str, local_file: Path) -> dict[str, Any]:
    """The repository's stack file, with what only the local one has: how secrets are encrypted, and generated ones."""
    source = ROOT / f"Pulumi.{name}.yaml"
    if not source.exists() and EPHEMERAL.fullmatch(name):
        source = ROOT / "Pulumi.dev.yaml"
    if not source.exists():
        raise OpsError(f"there is no Pulumi.{name}.yaml; make it, as a copy of Pulumi.prod.yaml for example", code=2)
    merged: dict[str, Any] = copy.deepcopy(yaml.safe_load(source.read_text())) or {}
    merged.setdefault("config", {})
    local: dict[str, Any] = (yaml.safe_load(local_file.read_text()) if local_file.exists() else None) or {}
    encryption = {key: local[key] for key in ENCRYPTION if key in local}
    # What was encrypted in another way than the repository's file now says could not be read any more.
    if not ENCRYPTION & set(merged) or encryption == {key: merged[key] for key in ENCRYPTION if key in merged}:
        merged |= encryption
        for key, value in (local.get("config") or {}).items():
            if isinstance(value, dict) and "secure" in value:
                merged["config"].setdefault(key, value)
    if EPHEMERAL.fullmatch(name):
        for key in _full_port_keys().values():
            if key in (local.get("config") or {}):
                merged["config"].setdefault(key, local["config"][key])
    return merged


def _own_ports(
    name: str, config: Mapping[str, Any], local_file: Path, overrides: Mapping[str, str], find_ports: FindPorts
) -> dict[str, str]:
    """The ports that a pull request's stack lacks in `config`, to be kept in its local file until it is destroyed."""
    keys = _full_port_keys()
    lacking = [service for service, key in keys.items() if not config.get(key)]
    if not lacking:
        return {}
    if local_file.exists():
        # Made by an earlier version, which computed them from the number; a stack that is there keeps what it has.
        found: Mapping[str, int] = vars(ports_of(name, Keys()))
    else:
        others = [yaml.safe_load(path.read_text()) or {} for path in local_file.parent.glob("Pulumi.*.yaml")]
        reserved = {
            int(noted["config"][key])
            for noted in (*others, {"config": config})
            for key in keys.values()
            if str((noted.get("config") or {}).get(key, "")).isdigit()
        }
        host = overrides.get("dockerHost") or config.get(f"{PROJECT}:dockerHost") or ""
        found = find_ports(host, lacking, reserved)
    # As text, which is how Pulumi.yaml declares them.
    return {keys[service]: str(found[service]) for service in lacking}


def _full_port_keys() -> dict[str, str]:
    return {service: f"{PROJECT}:{key}" for service, key in PORT_KEYS.items()}


def replace(path: Path, text: str) -> None:
    """Write `text` at once, so that a command that runs beside this one never reads half of it."""
    if path.exists() and path.read_text() == text:
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
