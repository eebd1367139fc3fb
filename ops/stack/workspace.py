"""Pulumi's workspace of one stack: where its state is, its passphrase, its configuration and its generated secrets."""

import contextlib
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pulumi.automation import (
    CommandError,
    ConfigValue,
    LocalWorkspace,
    PulumiCommand,
    PulumiFn,
    Stack,
    StackNotFoundError,
)

from config.errors import SettingsError
from config.necessary import required_secrets
from config.project import PROJECT, ROOT
from config.reading import from_environment
from config.settings import Settings, load
from config.stack_name import check_stack_name
from images.catalogue import image_keys
from ops.errors import OpsError
from ops.stack import stack_file
from ops.stack.backend import Backend, explain
from ops.stack.quick_stack import QuickStack


@dataclass(frozen=True)
class Workspace:
    """An open stack.

    `environment` is what Pulumi's command line runs with; `configuration` is key -> text; of it, `encrypted` are the
    keys that no file has in clear.
    """

    stack: Stack
    environment: Mapping[str, str]
    configuration: Mapping[str, str]
    encrypted: frozenset[str]

    def pulumi(
        self, *arguments: str, capture_output: bool = False, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """How Pulumi's own command line ended, run with `arguments` on the stack, with `text` as its input."""
        return self.backend.pulumi(*arguments, "--stack", self.stack.name, capture_output=capture_output, text=text)

    @property
    def backend(self) -> Backend:
        """Where the state is kept, with those of the other stacks."""
        opened = self.stack.workspace
        return Backend(opened.pulumi_command.command, Path(opened.work_dir), self.environment)

    def settings(self) -> Settings:
        """The stack's settings; raises OpsError (exit code 2) with all that is wrong."""
        try:
            return load(self.stack.name, self.configuration, encrypted=set(self.encrypted), images=image_keys())
        except SettingsError as error:
            raise OpsError(str(error), code=2) from None


def environment(home: Path) -> dict[str, str]:
    """Pulumi's environment: the user's backend and passphrase where set, else a local state and a generated one."""
    variables = {
        "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(home / "pulumi")),
        "PULUMI_BACKEND_URL": os.environ.get("PULUMI_BACKEND_URL", ""),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    if not variables["PULUMI_BACKEND_URL"]:
        state = home / "state"
        state.mkdir(parents=True, exist_ok=True)
        variables["PULUMI_BACKEND_URL"] = f"file://{state}"
    if not ({"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ)):
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase(home))
    return variables


def stacks_directory(home: Path) -> Path:
    """Where the stacks' files are, with the project's beside them, as Pulumi wants it."""
    directory = home / "stacks"
    directory.mkdir(parents=True, exist_ok=True)
    stack_file.replace(directory / "Pulumi.yaml", (ROOT / "Pulumi.yaml").read_text())
    return directory


def open_stack(
    name: str,
    program: PulumiFn,
    home: Path,
    command: PulumiCommand,
    *,
    create: bool,
    overrides: Mapping[str, str],
    find_ports: stack_file.FindPorts,
) -> Workspace:
    """The stack `name`, made where `create` and it is not there yet.

    `overrides` (key -> text) are put over the stack's configuration for this command alone. `find_ports` is asked when
    a pull request's stack is made. Raises OpsError for a stack that does not exist, a wrong passphrase, a locked state.
    """
    try:
        check_stack_name(name)
    except SettingsError as error:
        raise OpsError(str(error), code=2) from None
    directory = stacks_directory(home)
    stack_file.write(name, directory, overrides, find_ports if create else None)
    variables = environment(home)
    opened = LocalWorkspace(
        work_dir=str(directory),
        pulumi_home=variables["PULUMI_HOME"],
        env_vars=variables,
        pulumi_command=command,
        secrets_provider=os.environ.get("PULUMI_SECRETS_PROVIDER", "passphrase"),
        program=program,
    )
    stack = QuickStack(name, opened)
    try:
        try:
            values = stack.get_all_config()
        except StackNotFoundError:
            if not create:
                raise
            opened.create_stack(name)
            values = stack.get_all_config()
        values.update(_generate_secrets(stack, values, overrides))
    except CommandError as error:
        raise OpsError(explain(str(error), name)) from None
    prefix = f"{PROJECT}:"
    ours = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    configuration = {key: value.value for key, value in ours.items()}
    encrypted = {key for key, value in ours.items() if value.secret}
    return Workspace(stack, variables, {**configuration, **overrides}, frozenset(encrypted | set(overrides)))


def release_dead_lock(workspace: Workspace) -> bool:
    """Whether the stack's lock was left by an update of this machine that was killed, and is gone now."""
    url = urlsplit(workspace.environment["PULUMI_BACKEND_URL"])
    if url.scheme != "file":
        return False
    locks = Path(url.path) / ".pulumi/locks/organization" / PROJECT / workspace.stack.name
    owners = [yaml.safe_load(lock.read_text()) for lock in locks.glob("*.json")]
    if not owners or any(owner["hostname"] != socket.gethostname() or _alive(owner["pid"]) for owner in owners):
        return False
    workspace.stack.cancel()
    return True


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _passphrase(home: Path) -> Path:
    """The file of the generated passphrase; made on first use, for its owner's eyes."""
    path = home / "passphrase"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home) as temporary:
            temporary.write(secrets.token_urlsafe(32).encode())
            temporary.flush()
            # Another command may be faster; then its passphrase is the one.
            with contextlib.suppress(FileExistsError):
                os.link(temporary.name, path)
    path.open().close()  # said here, as Pulumi would only say that a passphrase is missing
    return path


def _generate_secrets(
    stack: Stack, values: Mapping[str, ConfigValue], overrides: Mapping[str, str]
) -> dict[str, ConfigValue]:
    """Secrets that a demo stack needs, nobody gave and nothing outside knows; encrypted in the local stack file."""

    def value(key: str) -> str:
        given = values.get(f"{PROJECT}:{key}")
        return overrides.get(key) or (given.value if given else "")

    if value("demo") != "true":
        return {}
    given_elsewhere = from_environment()
    generated = {
        f"{PROJECT}:{key}": ConfigValue(secrets.token_urlsafe(24), secret=True)
        for key in required_secrets(value("grafanaMode") or "container")
        if not value(key) and key not in given_elsewhere
    }
    if generated:
        stack.set_all_config(generated)
    return generated
