"""How a deployment ended, as Markdown for a comment on a pull request or the summary of a pipeline's run."""

from collections.abc import Mapping

from ops.deployments.record import Program


def succeeded(stack: str, program: Program, outputs: Mapping[str, str]) -> str:
    """That the stack is up and validated, of which revision, and its addresses by name."""
    return f"### `{stack}` is up\n\nAll checks passed. Revision {program.revision}.\n\n| | |\n|---|---|\n" + "".join(
        f"| {name} | {address} |\n" for name, address in sorted(outputs.items())
    )


def failed(stack: str, message: str) -> str:
    """Why it failed; `message` is what `ops` ends with, which never has a secret in it."""
    fence = "````"
    return f"### `{stack}` could not be deployed\n\n{fence}text\n{message}\n{fence}\n"
