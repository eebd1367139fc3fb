"""What `ops up --rollback-on-failure` does when the update or its validation failed."""

from ops.deployments import rollback
from ops.deployments.record import Program, history
from ops.errors import OpsError
from ops.report import fail
from ops.stack.workspace import Workspace


def take_back(workspace: Workspace, program: Program, error: OpsError, *, yes: bool) -> OpsError:
    """Roll the stack back from the deployment of `program`, which failed with `error`; gives what is to be said.

    A deployment that never began has changed nothing, and one that validated before with the very same program and
    settings is not what is wrong: both are left alone.
    """
    stack = workspace.stack.name
    deployments = [each for each in history(workspace.backend, stack, show_secrets=True) if each.kind == "update"]
    if not deployments or not deployments[0].program or deployments[0].program.id != program.id:
        return error
    fail(str(error))
    now, before = deployments[0], deployments[1:]
    validated = next((each for each in before if each.validated), None)
    if validated and validated.same_as(now):
        return _said(error, "nothing is rolled back: the same revision and settings have validated before", 1)
    try:
        then = rollback.target(deployments, stack)
        rollback.check(now, then, stack)
        rollback.roll_back(workspace, then, yes=yes)
    except OpsError as further:
        return _said(error, f"and it was not rolled back: {further}", 1)
    return _said(error, f"it was rolled back to {then.program.revision if then.program else ''}", 1)


def _said(error: OpsError, outcome: str, code: int) -> OpsError:
    return OpsError(f"the deployment failed ({str(error).splitlines()[0]}); {outcome}", code=code)
