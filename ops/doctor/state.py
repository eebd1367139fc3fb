"""The stack's configuration, its passphrase, and what Pulumi knows of it."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config.errors import SettingsError
from config.keys import secret_keys
from config.necessary import required_secrets
from config.project import PROJECT
from config.settings import Settings, load
from config.stack_name import check_stack_name
from images.catalogue import image_keys
from ops.errors import OpsError
from ops.stack import stack_file, toolchain
from ops.validation.check import Check

# What stands for a secret, which is not decrypted here. It is an address, as some must be one.
_SOME_SECRET = "https://secret.invalid"
_PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def settings(stack: str, home: Path, overrides: Mapping[str, str]) -> Settings:
    """The settings of a stack, made yet or not, from its files alone, with something else in place of each secret.

    Raises OpsError or SettingsError with all that is wrong.
    """
    check_stack_name(stack)
    merged = stack_file.stack_configuration(stack, home / "stacks" / f"Pulumi.{stack}.yaml")
    prefix = f"{PROJECT}:"
    values = {
        key.removeprefix(prefix): _text(value) for key, value in merged["config"].items() if key.startswith(prefix)
    }
    values |= overrides
    if values.get("demo") == "true":
        needed = required_secrets(values.get("grafanaMode") or "container")
        values = {**dict.fromkeys(needed, _SOME_SECRET), **values}
    clear = {key.removeprefix(prefix) for key, value in merged["config"].items() if not isinstance(value, dict)}
    encrypted = (secret_keys() & set(values)) - (clear - set(overrides))
    return load(stack, values, encrypted=encrypted, images=image_keys())


def configuration(settings: Callable[[], Settings]) -> Iterator[Check]:
    """Whether the stack's settings are right."""
    try:
        found = settings()
    except (OpsError, SettingsError) as error:
        first, *others = str(error).splitlines()
        what, _, way_out = first.partition("; ")
        more = f" (and {len(others)} more: {' | '.join(others)})" if others else ""
        yield Check.fail("configuration", what + more, expected="every key is right", hint=way_out or "mend that key")
        return
    where = found.docker_host or "this machine's Docker"
    yield Check.of("configuration", True, f"Pulumi.{found.stack}.yaml is right; the stack runs on {where}")


def checks(stack: str, home: Path, cache: Path, overrides: Mapping[str, str]) -> Iterator[Check]:
    """See the module. `home` is where state and passphrase are, `cache` where Pulumi's command line may be."""
    local = "PULUMI_BACKEND_URL" not in os.environ
    made = (home / f"state/.pulumi/stacks/{PROJECT}/{stack}.json").exists() if local else True
    there = next((place for place in (home / "state",) if any(place.rglob("*.json"))), None)
    yield passphrase(home, bool(there))
    pulumi = toolchain.present(cache)
    if pulumi:
        yield Check.of("pulumi", True, pulumi)
    else:
        hint = "ops up downloads it, or builds it where no release can be had; or install it: "
        hint += "https://www.pulumi.com/docs/install/"
        yield Check.warn("pulumi", "not here yet", expected="Pulumi's command line", hint=hint)
    if not made:
        yield Check.skip("state", f"there is no stack {stack} yet: ops up makes it")
    elif not pulumi:
        yield Check.skip("state", "cannot be read without Pulumi's command line")
    else:
        yield _state(stack, overrides)


def passphrase(home: Path, needed: bool, environment: Mapping[str, str] = os.environ) -> Check:
    """Whether there is a passphrase, for its owner's eyes. `needed`: there is a state, which has one already."""
    for variable in _PASSPHRASE_VARIABLES:
        if variable in environment:
            file = Path(environment[variable]) if variable.endswith("FILE") else None
            readable = file is None or os.access(file, os.R_OK)
            return Check.of(
                "passphrase",
                readable,
                f"from {variable}" if readable else f"{variable} names {file}, which cannot be read",
                expected="a file that this user may read",
                hint=f"correct {variable}, or unset it for the generated one",
                about="passphrase",
            )
    path = home / "passphrase"
    if not path.exists():
        return Check.of(
            "passphrase",
            not needed,
            f"{path} is not there" if needed else "none yet: ops up makes one",
            expected="the passphrase that the state below it was made with",
            hint=f"bring {path} back from a backup; without it, what is encrypted in the state is lost",
            about="passphrase",
        )
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check.warn(
            "passphrase", f"others may read {path}", expected="for its owner's eyes", hint=f"chmod 600 {path}"
        )
    return Check.of("passphrase", True, f"{path}; back it up")


def _state(stack: str, overrides: Mapping[str, str]) -> Check:
    """Whether Pulumi can read the stack's state with this passphrase, and nothing in it is half-done."""
    from ops.stack.session import Session

    try:
        session = Session(stack, overrides)
        state = session.state
    except OpsError as error:
        what, _, way_out = str(error).partition("; ")
        return Check.fail(
            "state", what, expected="Pulumi can read the state", hint=way_out or "see docs/maintenance.md",
            needs=("passphrase", "permissions of the state"),
        )  # fmt: skip
    if state.pending:
        return Check.warn(
            "state",
            f"the last update was interrupted: {len(state.pending)} operations are open",
            expected="none",
            hint=f"ops up --stack {stack} removes what was left half-made, and goes on",
        )
    return Check.of("state", True, f"{len(state.resources)} resources")


def _text(value: Any) -> str:
    """A value of a stack's file, as `config.settings.load` takes it."""
    if isinstance(value, dict) and "secure" in value:
        return _SOME_SECRET
    return value if isinstance(value, str) else json.dumps(value)
