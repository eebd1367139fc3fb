"""Checks that count know what they expect: one thing too few among many is seen, and named."""

import time

from ops.validation.logs import LAG
from tests.engine.deployment import Deployment


def test_a_container_whose_lines_do_not_arrive_is_named(stack: Deployment) -> None:
    """The agent is frozen when the container starts to speak; those whose lines are there pass for it no more."""
    name = stack.name("unheard")
    agent = stack.container("alloy")
    agent.pause()
    speaker = stack.engine.containers.run(
        str(stack.container("node-exporter").attrs["Config"]["Image"]),
        ["-c", "while :; do echo hello; sleep 1; done"],
        entrypoint="/bin/sh",
        name=name,
        labels={"monitoring.project": "monitoring", "monitoring.stack": stack.stack, "monitoring.service": "unheard"},
        detach=True,
    )
    try:
        time.sleep(LAG + 2)
        out = stack.ops("validate", ok=False)
        line = next(line for line in out.splitlines() if "lines of every container" in line)
        assert "fail" in line
        assert f"none of {name}" in line
    finally:
        speaker.remove(force=True)
        agent.unpause()
    stack.ops("validate", "--wait", "90")
