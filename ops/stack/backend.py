"""Where the states of all stacks are, and Pulumi's command line on it."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ops.errors import OpsError


@dataclass(frozen=True)
class Backend:
    """Pulumi's executable, the directory of the stacks' files, and the environment that it runs with."""

    executable: str
    directory: Path
    environment: Mapping[str, str]

    def pulumi(
        self, *arguments: str, capture_output: bool = True, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """How Pulumi's own command line ended, run with `arguments`, and with `text` as its input."""
        return subprocess.run(
            [self.executable, *arguments],
            cwd=self.directory,
            env={**os.environ, **self.environment},
            input=text,
            capture_output=capture_output,
            text=True,
            check=False,
        )

    def ask(self, stack: str, *arguments: str, text: str | None = None) -> str:
        """What Pulumi prints about a stack. Raises OpsError with the cause where it fails."""
        done = self.pulumi(*arguments, "--stack", stack, text=text)
        if done.returncode:
            raise OpsError(explain(done.stderr, stack))
        return done.stdout

    def stacks(self) -> dict[str, datetime | None]:
        """Name -> the last change of its state where that is known, of every stack of this project. Raises OpsError."""
        done = self.pulumi("stack", "ls", "--json")
        if done.returncode:
            raise OpsError(explain(done.stderr, "(all)"))
        return {
            stack["name"]: datetime.fromisoformat(stack["lastUpdate"]) if stack.get("lastUpdate") else None
            for stack in json.loads(done.stdout)
        }


def explain(error: str, stack: str) -> str:
    """Pulumi's own error for `stack` as one clear message where the cause is known, else the lines that carry it."""
    if "incorrect passphrase" in error:
        return (
            f"wrong passphrase for stack {stack}: PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE must be "
            "the one that the stack was made with; unset both to use the generated one"
        )
    if "no stack named" in error:
        return f"there is no stack {stack} in this state; make it with: ops up --stack {stack}"
    if "currently locked" in error:
        owner = re.search(r"created by (\S+ \(pid \d+\) at [\w:.+-]+)", error)
        return (
            f"stack {stack} is locked by {owner[1] if owner else 'another update'}; wait for it to end, or, if it was "
            f"killed, run: ops pulumi --stack {stack} -- cancel --yes"
        )
    lines = [line for line in error.splitlines() if line.strip() and not line.startswith(("code:", "stdout:"))]
    causes = [line.strip() for line in lines if "error:" in line]
    return "\n".join(causes or [line.removeprefix("stderr:").strip() for line in lines])
