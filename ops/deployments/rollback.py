"""Back to a deployment that validated: its revision, with its own Python environment, and its settings.

The revision is checked out beside this tree and brings the stack up itself, as it did before: `make` prepares its
environment, and its own `ops up` updates and validates. Nothing of this tree's program takes part in that, so it does
not matter how much the two differ. What comes from the environment and from .env is what that is now.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.project import ROOT
from ops.deployments.formats import refusals
from ops.deployments.record import Deployment
from ops.deployments.revision import git
from ops.errors import OpsError
from ops.report import say
from ops.stack.configuration import write_settings
from ops.stack.workspace import Workspace

# Of a `make` or a Python environment that this runs in; the other revision has its own.
_NOT_HANDED_ON = frozenset(
    {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "STACK"}
)


def target(deployments: Sequence[Deployment], stack: str, to: str = "") -> Deployment:
    """The deployment to go back to: the last that validated and is another one than what is deployed now.

    `deployments` are the stack's, the newest first. `to` names another by the beginning of its revision. Raises
    OpsError (exit code 2) where there is none.
    """
    updates = [deployment for deployment in deployments if deployment.kind == "update"]
    if not updates:
        raise OpsError(f"stack {stack} was never deployed; bring it up with: ops up --stack {stack}", code=2)
    validated = [deployment for deployment in updates if deployment.validated and deployment.program]
    if to:
        found = [each for each in validated if each.program and each.program.revision.commit.startswith(to)]
        if not found:
            raise OpsError(f"no deployment of {to} validated; {_listed(stack)}", code=2)
        return found[0]
    for deployment in validated:
        if not deployment.same_as(updates[0]):
            return deployment
    raise OpsError(f"no deployment of stack {stack} but the present one has validated; {_listed(stack)}", code=2)


def check(now: Deployment, then: Deployment, stack: str, restored: Collection[str] = ()) -> None:
    """Raise OpsError (exit code 2) with all that stands against going from `now` back to `then`."""
    program = then.program
    assert program, "only what `ops` deployed has validated"
    when = f"the deployment of {then.began:%Y-%m-%d %H:%M} UTC"
    problems = []
    if not program.revision.commit:
        problems.append(f"{when} was made from a tree that is no Git checkout, so its program is not known")
    elif program.revision.changed:
        problems.append(
            f"{when} was made from {program.revision}, which no commit has; commit them and deploy that, or name "
            f"another: ops rollback --stack {stack} --to REVISION"
        )
    elif not _have(program.revision.commit):
        problems.append(
            f"{when} was made from {program.revision.commit}, which this checkout does not have; "
            "fetch it: git fetch origin " + program.revision.commit
        )
    if program.withheld:
        keys = ", ".join(sorted(program.withheld))
        problems.append(f"{when} was made with --config {keys}, which is secret and was not kept; deploy it by hand")
    if now.program:
        problems += refusals(now.program.images, program.images, restored)
    if problems:
        raise OpsError(f"stack {stack} cannot be rolled back:\n" + "\n".join(problems), code=2)


def roll_back(workspace: Workspace, then: Deployment, *, yes: bool) -> None:
    """Bring the stack to what `then` was, and validate it. Raises OpsError where that fails."""
    program = then.program
    assert program, "checked before"
    stack = workspace.stack.name
    say(f"rolling {stack} back to {program.revision}, deployed {then.began:%Y-%m-%d %H:%M} UTC")
    options = [option for key, value in program.overrides.items() for option in ("--config", f"{key}={value}")]
    with _checked_out(program.revision.commit) as tree:
        write_settings(workspace, tree / f"Pulumi.{stack}.yaml", then.settings, then.secrets)
        _run(["make", "--silent", ".venv/synced"], tree, "preparing that revision's Python environment")
        command = [str(tree / ".venv/bin/python"), "-m", "ops", "up", "--stack", stack, *options]
        _run([*command, *(["--yes"] if yes else [])], tree, f"bringing up {program.revision}")


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    """A work tree of the commit beside this one, with this one's .env, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="monitoring-rollback-") as directory:
        tree = Path(directory) / "tree"
        if git("worktree", "add", "--quiet", "--detach", str(tree), commit) is None:
            raise OpsError(f"Git cannot check out {commit} beside this tree; see: git worktree list")
        try:
            if (ROOT / ".env").exists():
                (tree / ".env").symlink_to(ROOT / ".env")
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def _run(command: Sequence[str], tree: Path, what: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_HANDED_ON}
    sys.stdout.flush()
    if code := subprocess.run(command, cwd=tree, env=environment, check=False).returncode:
        raise OpsError(f"{what} failed with exit code {code}; what it said is above")


def _have(commit: str) -> bool:
    """Whether this checkout has the commit; one without history, as pipelines make them, fetches it."""
    wanted = f"{commit}^{{commit}}"
    return git("cat-file", "-e", wanted) is not None or (
        git("fetch", "--quiet", "--depth=1", "origin", commit) is not None and git("cat-file", "-e", wanted) is not None
    )


def _listed(stack: str) -> str:
    return f"they are listed by: ops history --stack {stack}"
