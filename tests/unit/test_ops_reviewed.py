"""A plan that was reviewed: kept without secrets in clear, and refused with what is different."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.automation import PulumiCommand

from lab.cache import cache
from ops.deployments.reviewed import Reviewed, check, differences
from ops.deployments.revision import Revision
from ops.errors import OpsError
from ops.stack import toolchain, update
from ops.stack.workspace import Workspace, open_stack

REPLACED = ["delete-replaced", "replace", "create-replacement"]
REVISION = Revision("a" * 40, changed=False)
RULES, NETWORK = "urn:pulumi:dev::monitoring::docker:index/container:Container::prometheus-writer", "urn::a:b:C::core"


def _updates(steps: list[str], inputs: dict[str, Any], **config: Any) -> dict[str, Any]:
    plans = {
        RULES: {"steps": steps, "goal": {"inputDiff": {"updates": inputs}}, "seed": "random"},
        NETWORK: {"steps": ["same"], "goal": {}, "seed": "random"},
    }
    return {"resourcePlans": plans, "config": config}


REVIEWED = Reviewed("dev", REVISION, ("nginx: paused; will be put right",), _updates(REPLACED, {"uploads": "0.8"}))


def test_a_plan_is_kept_whole(tmp_path: Path) -> None:
    REVIEWED.write(tmp_path / "made/plan.json")
    assert Reviewed.read(tmp_path / "made/plan.json") == REVIEWED
    check(REVIEWED, Reviewed.read(tmp_path / "made/plan.json"))


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"resourcePlans": {}}'])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "plan.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OpsError, match=r"--plan .*plan\.json: .*make one with: ops preview --save-plan") as caught:
        Reviewed.read(path)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stack": "prod"}, ["it was made for stack dev, and this is prod"]),
        (
            {"revision": Revision("b" * 40, changed=True)},
            ["it was made from aaaaaaaaaa, and this tree is bbbbbbbbbb with changes"],
        ),
        ({"mends": ()}, ["no longer so: nginx: paused; will be put right"]),
        ({"mends": (*REVIEWED.mends, "redis: renamed to x")}, ["new since: redis: renamed to x"]),
        (
            {"updates": _updates(["same"], {})},
            ["Container prometheus-writer: replacement was reviewed, no change is due"],
        ),
        (
            {"updates": _updates(REPLACED, {"uploads": "0.9"})},
            ["Container prometheus-writer: replacement, but with other values"],
        ),
        (
            {"updates": _updates(REPLACED, {"uploads": "0.8"}, **{"monitoring:smtpPassword": {"secure": "v1:x"}})},
            ["monitoring:smtpPassword has another value"],
        ),
        (
            {"updates": {"resourcePlans": {NETWORK: REVIEWED.updates["resourcePlans"][NETWORK]}}},
            ["Container prometheus-writer: replacement was reviewed, nothing is due"],
        ),
    ],
)
def test_each_difference_is_named_without_a_value(changes: dict[str, Any], words: list[str]) -> None:
    now = replace(REVIEWED, **changes)
    assert list(differences(REVIEWED, now)) == words
    with pytest.raises(OpsError, match="the plan for stack dev is stale, and nothing was touched") as caught:
        check(REVIEWED, now)
    assert caught.value.code == 4


def test_a_secret_that_pulumi_encrypted_anew_is_no_difference() -> None:
    def secret(text: str) -> dict[str, Any]:
        mark = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": text}
        return _updates(["update"], {"uploads": [{"content": mark}]})

    assert list(differences(replace(REVIEWED, updates=secret("a")), replace(REVIEWED, updates=secret("b")))) == []


# With Pulumi


class _Kept:
    """What a program of a test declares: one output, and one secret in it."""

    value, secret = "first", "s3cret"

    def declare(self) -> None:
        """The program."""
        pulumi.export("value", self.value)
        pulumi.export("secret", pulumi.Output.secret(self.secret))


@pytest.fixture
def program() -> _Kept:
    return _Kept()


@pytest.fixture
def stack(tmp_path: Path, program: _Kept, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for variable in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
    command: PulumiCommand = toolchain.pulumi(cache(), print)
    return open_stack(
        "dev", program.declare, tmp_path / "home", command, create=True, overrides={}, find_ports=lambda *_: {}
    )


def test_pulumis_plan_has_no_secret_in_clear_and_is_the_same_when_nothing_changed(
    stack: Workspace, program: _Kept
) -> None:
    plans = [Reviewed("dev", REVISION, (), update.planned(stack)) for _ in range(2)]
    text = json.dumps(plans[0].updates)
    assert program.secret not in text
    assert stack.configuration["redisPassword"] not in text
    assert list(differences(*plans)) == []


def test_pulumi_refuses_what_was_not_planned_without_showing_it(stack: Workspace, program: _Kept) -> None:
    """The net below the comparison: what only a secret of the environment's differs in."""
    plan = update.planned(stack)
    update.up(stack, None, "", plan)
    plan = update.planned(stack)
    program.secret = "an0ther"
    with pytest.raises(OpsError) as caught:
        update.up(stack, None, "", plan)
    assert "an0ther" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
