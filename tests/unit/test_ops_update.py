"""How an update is told: a line for each change, and of an error the cause alone."""

import uuid
from collections.abc import Callable
from typing import Any

import docker
import pytest
from pulumi.automation import EngineEvent

from ops.stack.backend import explain
from ops.stack.update import Progress, _cause, condense

URN = (
    "urn:pulumi:dev::monitoring::monitoring:index:MonitoringStack$monitoring:service:Redis$"
    "docker:index/container:Container::redis-container"
)
STACK = "urn:pulumi:dev::monitoring::pulumi:pulumi:Stack::monitoring-dev"
CONTAINER = "docker:index/container:Container"


# The cause


def test_a_containers_error_is_told_without_the_wrapping_of_engine_and_provider() -> None:
    message = (
        f"<{{%reset%}}>1 error occurred:\n\t* creating {URN}: 1 error occurred:\n\t* Unable to start container: "
        "Error response from daemon: driver failed programming external connectivity on endpoint monitoring-dev-redis: "
        "Bind for 127.0.0.1:6379 failed: port is already allocated\n\n\n<{%reset%}>\n"
    )
    assert _cause(message, URN) == (
        "Container redis-container: Unable to start container: Error response from daemon: driver failed programming "
        "external connectivity on endpoint monitoring-dev-redis: Bind for 127.0.0.1:6379 failed: port is already "
        "allocated"
    )


def test_several_errors_of_one_resource_are_all_told() -> None:
    message = f"2 errors occurred:\n\t* updating {URN}: 2 errors occurred:\n\t* first\n\t* second\n\n"
    assert _cause(message, URN) == "Container redis-container: first\nsecond"


def test_the_programs_own_message_is_told_line_by_line() -> None:
    message = (
        "<{%reset%}>Exception calling application: the configuration of prometheus was refused (exit code 1):\n"
        "Checking /etc/prometheus/prometheus.yml\n  FAILED: parsing YAML file: line 3\n<{%reset%}>"
    )
    assert _cause(message, STACK) == (
        "the configuration of prometheus was refused (exit code 1):\n"
        "Checking /etc/prometheus/prometheus.yml\nFAILED: parsing YAML file: line 3"
    )


@pytest.mark.parametrize(
    "message",
    [
        "<{%reset%}>update failed<{%reset%}>\n",
        "preview failed",
        "provider: sdk.helper_schema: Unable to start container: x",
    ],
)
def test_what_repeats_another_error_is_not_told(message: str) -> None:
    assert _cause(message, URN) == ""


@pytest.mark.parametrize(
    "said",
    [
        'unable to replace resource "urn"\nas it is currently marked for protection. To unprotect the resource, remove',
        'resource "urn" cannot be deleted\nbecause it is protected. To unprotect the resource, either remove',
    ],
)
def test_a_protected_volume_is_told_with_the_way_to_let_it_go(said: str) -> None:
    assert _cause(said, URN) == (
        "Container redis-container: this would remove it with its data, and it is protected; where that data may go, "
        "bring the stack up without the change first, after: pulumi config set monitoring:protect false"
    )


def test_an_error_without_a_resource_has_no_name_before_it() -> None:
    assert _cause("could not connect to the Docker engine", None) == "could not connect to the Docker engine"


# Pulumi's command line


def test_what_pulumi_says_is_explained_where_its_cause_is_known() -> None:
    wrong = (
        'code: 255\nstdout: \nstderr: error: constructing secrets manager of type "passphrase": incorrect passphrase'
    )
    assert explain(wrong, "dev").startswith("wrong passphrase for stack dev: PULUMI_CONFIG_PASSPHRASE")
    absent = "code: 255\nstdout: \nstderr: error: no stack named 'pr-9' found"
    assert explain(absent, "pr-9") == "there is no stack pr-9 in this state; make it with: ops up --stack pr-9"
    locked = "code: 255\nstderr: error: the stack is currently locked by 1 lock(s)."
    assert "is locked by another update" in explain(locked, "dev")
    assert "ops pulumi --stack dev -- cancel --yes" in explain(locked, "dev")


def test_of_another_message_the_lines_that_carry_it_are_told() -> None:
    message = "code: 255\nstdout: Updating (dev):\nstderr: warning: old\nerror: the state cannot be read\n"
    assert explain(message, "dev") == "error: the state cannot be read"
    assert explain("code: 1\nstdout: \nstderr: killed\n", "dev") == "killed"


# Progress


def event(kind: str, **content: Any) -> EngineEvent:
    """An event of the engine as it arrives."""
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: content})


def step(op: str, urn: str = URN, resource_type: str = CONTAINER) -> dict[str, Any]:
    """What an event says of a step."""
    return {"op": op, "urn": urn, "type": resource_type, "provider": ""}


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are told while an update runs."""
    lines: list[str] = []
    monkeypatch.setattr("ops.stack.update.say", lines.append)
    return lines


def test_each_change_has_a_line_and_what_stays_has_none(spoken: list[str]) -> None:
    progress = Progress()
    progress(event("resourcePreEvent", metadata=step("create")))
    for op in ("create", "same", "update", "delete", "create-replacement", "replace", "delete-replaced"):
        progress(event("resOutputsEvent", metadata=step(op)))
    component = step(
        "create", "urn:pulumi:dev::monitoring::monitoring:service:Redis::redis", "monitoring:service:Redis"
    )
    progress(event("resOutputsEvent", metadata=component))
    assert spoken == [
        "starting Container redis-container …",
        "created Container redis-container",
        "updated Container redis-container",
        "deleted Container redis-container",
        "replaced Container redis-container",
        "removed the old Container redis-container",
    ]


def test_changes_are_counted(spoken: list[str]) -> None:
    progress = Progress()
    counts = {"create": 2, "same": 40}
    progress(event("summaryEvent", maybeCorrupt=False, durationSeconds=3, resourceChanges=counts, PolicyPacks={}))
    assert progress.changes == counts
    assert spoken == []


def test_an_error_is_kept_for_the_end_and_a_warning_told_at_once(spoken: list[str]) -> None:
    progress = Progress()
    say = {"color": "never", "prefix": ""}
    progress(event("diagnosticEvent", message="no notifications to Slack\n", severity="warning", **say))
    progress(
        event("diagnosticEvent", message=f"creating {URN}: 1 error occurred:\n\t* no", severity="error", urn=URN, **say)
    )
    progress(event("diagnosticEvent", message="update failed", severity="error", urn=STACK, **say))
    assert spoken == ["no notifications to Slack"]
    assert progress.errors == ["Container redis-container: no"]


def test_a_silent_one_says_nothing(spoken: list[str]) -> None:
    progress = Progress(silent=True)
    progress(event("resOutputsEvent", metadata=step("create")))
    assert spoken == []


def test_the_last_words_of_a_container_that_did_not_become_healthy_are_told(
    engine: docker.DockerClient, image_of: Callable[[str], str], spoken: list[str]
) -> None:
    name = f"unit-test-{uuid.uuid4().hex[:12]}"
    lines = "; ".join(f"echo line {number}" for number in range(1, 11))
    container = engine.containers.create(
        image_of("alertmanager"), ["-c", lines], entrypoint="/bin/sh", name=name, network_mode="none"
    )
    try:
        container.start()
        container.wait()
        progress = Progress(engine)
        new = {"type": CONTAINER, "urn": URN, "id": "", "parent": "", "provider": "", "inputs": {"name": name}}
        progress(event("resourcePreEvent", metadata={**step("create"), "new": new}))
        message = "1 error occurred:\n\t* container did not reach the healthy state\n"
        progress(event("diagnosticEvent", message=message, severity="error", urn=URN, color="never", prefix=""))
    finally:
        container.remove(force=True, v=True)
    (error,) = progress.errors
    assert error.startswith("Container redis-container: container did not reach the healthy state; the last lines of ")
    assert error.splitlines()[1:] == [f"  line {number}" for number in range(3, 11)]
    assert spoken == ["starting Container redis-container …"]


def test_a_diff_is_shown_with_three_lines_around_each_change() -> None:
    lines = [f"      line {number}" for number in range(20)]
    lines[10] = "    ~ line 10"
    assert condense(lines) == [*lines[7:14], "    …"]
    assert condense(["  + new", *lines[:9]]) == ["  + new", *lines[:3], "    …"]
    assert condense([]) == []
