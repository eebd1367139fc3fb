"""What happens to containers and volumes: why, and what it does to data."""

from typing import Any

import pytest

from ops.plan.model import SECRET, Detail
from ops.plan.properties import details
from ops.plan.resources import resources, risks
from ops.plan.steps import UNKNOWN, Step
from ops.plan.words import detail, made, resource

_CONTAINER, _VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"


def _step(before: dict[str, Any], after: dict[str, Any], name: str = "redis-container", **more: Any) -> Step:
    return Step("replaced", f"urn:pulumi:dev::monitoring::x::{name}", _CONTAINER, before, after, **more)


def _said(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [detail(one, str) for one in details(_step(before, after), [*before, *after], {}, {})]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"command": ["--a=1", "--b=2"]}, {"command": ["--a=1", "--b=3"]}, ["--b 2 → 3"]),
        (
            {"command": ["run", "--a=1"]},
            {"command": ["--a=1", "--now"]},
            ["argument run (gone)", "argument --now (new)"],
        ),
        ({"command": ["-c", "x" * 300]}, {"command": ["-c", "y" * 300]}, ["command changes"]),
        ({"envs": ["A=1", "B=2"]}, {"envs": ["A=1", "B=3", "C=4"]}, ["B 2 → 3", "C 4"]),
        ({"envs": ["A=1"]}, {"envs": SECRET}, ["environment changes"]),
        (
            {"ports": [{"internal": 9090, "external": 1, "ip": "127.0.0.1"}]},
            {"ports": [{"internal": 9090, "external": 2, "ip": "127.0.0.1"}]},
            ["host port of 9090 1 → 2"],
        ),
        (
            {"mounts": [{"target": "/a", "source": "x"}]},
            {"mounts": [{"target": "/a", "source": UNKNOWN}]},
            ["mount /a.source x → known once it is made"],
        ),
        ({"labels": [{"label": "a", "value": "1"}]}, {"labels": [{"label": "a", "value": "2"}]}, ["label a 1 → 2"]),
        ({"memory": 1, "memorySwap": 1}, {"memory": 2, "memorySwap": 2}, ["memory (MiB) 1 → 2"]),
        ({"healthcheck": {"interval": "5s"}}, {"healthcheck": {"interval": "9s"}}, ["healthcheck.interval 5s → 9s"]),
        ({"hostname": "a"}, {"hostname": "a"}, ["hostname changes"]),
    ],
)
def test_a_property_is_named_as_people_do(before: dict[str, Any], after: dict[str, Any], said: list[str]) -> None:
    assert _said(before, after) == said


def test_of_very_many_properties_the_first_are_told() -> None:
    before, after = ({str(key): value for key in range(9)} for value in (1, 2))
    (found,) = resources([_step(before, after, forced=frozenset(before))], {}, {})
    assert len(found.because) == 9
    assert resource(found, str).endswith("5 1 → 2; and 3 more")


def _images(service: str, old: str, new: str) -> list[str]:
    return list(risks([_step({"image": old}, {"image": new}, f"{service}-container")]))


def test_another_major_version_of_what_keeps_data_is_a_risk() -> None:
    (said,) = _images("postgres", "lab/postgres:17-27559", "docker.io/library/postgres:18.1@sha256:0")
    assert said.startswith("postgres goes from 17 to 18.1, another major version, with the demo's database")
    assert _images("postgres", "postgres:17.1", "postgres:17.2") == []
    assert _images("cadvisor", "cadvisor:v0.60.6", "cadvisor:v1.0.0") == [], "it keeps nothing"


def test_an_older_version_may_not_read_what_the_newer_one_wrote() -> None:
    (said,) = _images("loki", "grafana/loki:3.7.8", "grafana/loki:3.6.15")
    assert said == "loki goes back from 3.7.8 to 3.6.15: it may not read what the newer one wrote"


def test_another_program_is_no_other_version() -> None:
    assert _images("promtail", "lab/alloy:v1.18.1", "lab/promtail:v3.6.15") == []


def test_a_shorter_retention_deletes_data_and_a_longer_one_does_not() -> None:
    short, long = ({"command": [f"--storage.tsdb.retention.time={time}"]} for time in ("7d", "30d"))
    (said,) = risks([_step(long, short, "prometheus-container")])
    assert said == "prometheus keeps 7d in place of 30d: older metrics are deleted"
    assert list(risks([_step(short, long, "prometheus-container")])) == []


@pytest.mark.parametrize(("retained", "lost"), [(False, True), (True, False)])
def test_a_volume_that_goes_takes_its_data_along_unless_it_is_retained(retained: bool, lost: bool) -> None:
    step = Step("removed", "urn::loki-data", _VOLUME, {"name": "monitoring-dev-loki"}, retained=retained)
    (found,) = resources([step], {}, {})
    assert found.lost == lost
    (said,) = risks([step])
    assert ("lost with it: all log lines" in said) == lost
    assert ("stays on the host" in said) != lost


def test_the_volume_of_a_configuration_holds_nothing_to_lose() -> None:
    step = Step("removed", "urn::loki-config-volume", _VOLUME, {"name": "monitoring-dev-loki-config"})
    (found,) = resources([step], {}, {})
    assert (found.lost, found.data) == (False, "it holds configuration alone")
    assert list(risks([step])) == []


def test_what_runs_once_interrupts_nothing() -> None:
    once, stays = ({"mustRun": must_run, "destroyGraceSeconds": 30} for must_run in (False, True))
    (writer,) = resources([_step(once, once, "loki-config-writer")], {}, {})
    (server,) = resources([_step(stays, stays, "loki-container")], {}, {})
    assert (writer.once, writer.outage) == (True, None)
    assert server.outage
    assert server.outage.stops_within == 30


def test_of_a_service_that_goes_it_is_said_what_is_missed() -> None:
    (found,) = resources([Step("removed", "urn::cadvisor-container", _CONTAINER, {"name": "x"})], {}, {})
    assert found.data == "from then on, what it measures is missing"


def test_what_is_lost_comes_before_what_restarts_and_that_before_what_is_new() -> None:
    steps = [
        Step("made", "urn::a-container", _CONTAINER, {}, {"name": "a"}),
        _step({"name": "b"}, {"name": "b"}, "b-container"),
        Step("removed", "urn::c-container", _CONTAINER, {"name": "c"}),
        Step("replaced", "urn::d-data", _VOLUME, {"name": "d"}, {"name": "d"}),
    ]
    assert [one.name for one in resources(steps, {}, {})] == ["d", "c", "b", "a"]


def test_a_whole_new_stack_is_told_by_its_kinds() -> None:
    steps = [Step("made", f"urn::s{number}-container", _CONTAINER, {}, {"name": "x"}) for number in range(21)]
    found = list(resources(steps, {}, {}))
    (line,) = made(found, str)
    assert line.startswith("21 containers: s0, s1, ")
    assert len(made(found[:3], str)) == 3


def test_a_detail_says_what_there_is_of_it() -> None:
    assert detail(Detail("for", "1m", "2m"), str) == "for 1m → 2m"
    assert detail(Detail("for", "", "2m"), str) == "for 2m"
    assert detail(Detail("for", "1m"), str) == "no for 1m any more"
    assert detail(Detail("secret file /a (new)"), str) == "secret file /a (new)"
