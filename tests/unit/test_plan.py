"""The plan out of what the engine said, and its three renderings.

The events in tests/unit/events were recorded from previews of a real stack: what changes, without what providers gave.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from components.config_writer import PACKED
from components.file import File
from components.pack import pack
from ops.plan.as_json import as_json, failure
from ops.plan.build import plan
from ops.plan.files import Text, in_state
from ops.plan.markdown import LIMIT, markdown, marker
from ops.plan.markdown import failure as failed_comment
from ops.plan.model import Backtest, Change, Diff, Firing, Plan, Resource, Topic, Trial
from ops.plan.text import text
from ops.plan.words import duration, headline

_EVENTS = Path(__file__).parent / "events"


def _events(name: str) -> list[EngineEvent]:
    return [EngineEvent.from_json(event) for event in json.loads((_EVENTS / f"{name}.json").read_text())]


def _files(container: str, content: Mapping[str, str | Text]) -> dict[str, dict[str, Text]]:
    return {container: {path: Text(one) if isinstance(one, str) else one for path, one in content.items()}}


# Out of the engine's events


def test_a_volume_that_is_replaced_loses_its_data_and_that_comes_first() -> None:
    found = plan("pr-1", _events("volume"), {}, {})
    (risk,) = found.risks
    assert risk == "volume monitoring-pr-1-loki is replaced by an empty one; lost with it: all log lines"
    volume, container = found.resources[:2]
    assert (volume.verb, volume.kind, volume.lost) == ("replaced", "volume", True)
    assert [detail.name for detail in volume.because] == ["driver opts"]
    assert container.data == "its data is lost with its volume"
    assert [detail.name for detail in container.because] == ["the replacement of its volume"]
    assert headline(found).startswith("DATA IS LOST in 1 volume; restarted: loki")
    assert "- **volume `monitoring-pr-1-loki` replaced" in markdown(found)


def test_a_volume_that_is_retained_keeps_its_data() -> None:
    raw = json.loads((_EVENTS / "volume.json").read_text())
    for event in raw:
        old = event.get("resourcePreEvent", {}).get("metadata", {}).get("old")
        if old:
            old["retainOnDelete"] = True
    found = plan("pr-1", [EngineEvent.from_json(event) for event in raw], {}, {})
    assert found.risks == ()
    assert not any(resource.lost for resource in found.resources)


def test_what_is_changed_in_place_restarts_nothing() -> None:
    found = plan("pr-1", _events("memory"), {}, {})
    (resource,) = found.resources
    assert (resource.verb, resource.outage) == ("changed", None)
    assert [(one.name, one.before, one.after) for one in resource.because] == [("memory (MiB)", "2560", "3000")]
    assert headline(found) == "no service restarts; changed while it runs: loki"
    assert not found.empty


def test_of_secret_files_the_changed_one_is_named_and_nothing_of_it_is_shown() -> None:
    """Not even by its length: another secret gives the same words."""
    before = _files(
        "redis-container", {"/a": Text("hunter2", secret=True), "/b": Text("same", secret=True), "/c": "x\n"}
    )
    shown = []
    for secret in ("short", "much-longer-than-it-was-before" * 9):
        after = _files(
            "redis-container", {"/a": Text(secret, secret=True), "/b": Text("same", secret=True), "/c": "y\n"}
        )
        found = plan("pr-1", _events("secret"), before, after)
        shown.append(text(found) + markdown(found) + as_json(found))
    assert shown[0] == shown[1]
    assert "secret file /a (changed)" in shown[0]
    assert "/b" not in shown[0]
    assert "file /c (changed)" in shown[0]
    assert "hunter2" not in shown[0]
    assert "+y" in shown[0]


def test_a_file_that_was_open_and_becomes_secret_is_not_shown() -> None:
    before = _files("redis-container", {"/a": "was open\n"})
    after = _files("redis-container", {"/a": Text("now secret", secret=True)})
    shown = markdown(plan("pr-1", _events("secret"), before, after))
    assert "secret file /a (changed)" in shown
    assert "was open" not in shown
    assert "now secret" not in shown


def test_the_files_of_a_state_are_read_with_their_secrets() -> None:
    """Where one is secret, the provider takes all for secret; permissions tell which is."""
    uploads = [
        {"file": "/a", "content": "secret", "permissions": "0440"},
        {"file": "/b", "content": "open", "permissions": "0644"},
    ]
    secret = {"4dabf18193072939515e22adb298388d": "x", "plaintext": json.dumps(uploads)}
    resource = {"urn": "urn:pulumi:pr-1::p::t::redis-container", "inputs": {"uploads": secret}}
    found = in_state([resource])["redis-container"]
    assert found == {"/a": Text("secret", secret=True), "/b": Text("open")}
    assert "secret" not in str(found["/a"]).replace("secret=True", "")


def test_what_a_writer_gets_as_one_file_is_read_as_many() -> None:
    packed = pack(PACKED, [File("/etc/a.yml", "a: 1\n"), File("/etc/b.yml", "b: 2\n")])
    uploads = [{"file": packed.path, "content": packed.content, "permissions": "0644"}]
    resource = {"urn": "urn:pulumi:pr-1::p::t::loki-config-writer", "inputs": {"uploads": uploads}}
    assert in_state([resource])["loki-config-writer"] == {"/etc/a.yml": Text("a: 1\n"), "/etc/b.yml": Text("b: 2\n")}


def test_what_is_no_longer_protected_is_a_risk() -> None:
    old: dict[str, Any] = {"type": "docker:index/volume:Volume", "urn": "u::loki-data", "protect": True}
    metadata = {"op": "same", "urn": "u::loki-data", "type": old["type"], "old": old, "new": {**old, "protect": False}}
    event = EngineEvent.from_json({"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": metadata}})
    (risk,) = plan("prod", [event], {}, {}).risks
    assert risk == "not protected any more, so that `destroy` removes the data, too: loki-data"


# Nothing


def test_where_nothing_changes_that_is_all_that_is_said() -> None:
    found = Plan("dev", counts={"same": 72})
    assert found.empty
    assert text(found) == "dev: nothing changes\n"
    assert markdown(found) == "<!-- ops preview: dev -->\n### Preview of `dev`: nothing changes\n"
    assert json.loads(as_json(found))["empty"]


@pytest.mark.parametrize(
    "more", [{"counts": {"same": 1, "update": 1}}, {"mended": ("x",)}, {"take_over": "x"}, {"risks": ("x",)}]
)
def test_whatever_up_would_do_is_something(more: dict[str, Any]) -> None:
    assert not replace(Plan("dev", counts={"same": 72}), **more).empty


# Renderings


def _large(diffs: int, lines: int, changes: int = 3) -> Plan:
    topic = Topic(
        "Alerts and rules",
        tuple(Change("added", "alert", f"Alert{number}") for number in range(changes)),
        tuple(
            Diff("prometheus", f"rules/{n}.yml", lines, 0, "\n".join(["+ a line"] * lines * (n + 1)))
            for n in range(diffs)
        ),
    )
    lost = Resource("replaced", "volume", "loki", "monitoring-dev-loki", lost=True)
    return Plan(
        "dev", risks=("volume monitoring-dev-loki is lost",), resources=(lost,), topics=(topic,), counts={"replace": 1}
    )


def test_a_comment_that_fits_is_whole() -> None:
    comment = markdown(_large(3, 10), elsewhere="is in all.md")
    assert comment.count("<details>") == 3
    assert "all.md" not in comment


@pytest.mark.parametrize(
    ("diffs", "lines", "changes"), [(3, 4000, 3), (10, 1000, 3), (1, 10_000, 5000), (900, 10, 5000)]
)
def test_a_comment_never_exceeds_what_github_takes(diffs: int, lines: int, changes: int) -> None:
    """The longest diffs go first, then the ends of lists; what is lost stays; where the rest is, is said."""
    found = _large(diffs, lines, changes)
    comment = markdown(found, elsewhere="is in all.md")
    assert len(markdown(found, limit=None)) > LIMIT >= len(comment)
    assert "Not all of it fits into a comment. The rest is in all.md." in comment
    assert "**volume monitoring-dev-loki is lost**" in comment
    assert comment.startswith(f"{marker('dev')}\n")


def test_the_shortest_diffs_are_kept() -> None:
    comment = markdown(_large(3, 3500), elsewhere="is in all.md")
    assert "<summary>prometheus rules/0.yml" in comment
    assert "prometheus rules/2.yml (+3500 −0): is in all.md" in comment


def test_text_and_json_hold_all_of_it() -> None:
    found = _large(10, 1000)
    assert text(found).count("+ a line") == as_json(found).count("+ a line") == 55_000


def test_a_diff_cannot_end_its_own_fence() -> None:
    diff = Diff("demo", "/a.md", 1, 0, "+```\n+````")
    comment = markdown(Plan("dev", topics=(Topic("Other files", (), (diff,)),), counts={"update": 1}))
    assert "`````diff\n+```\n+````\n`````" in comment


def test_what_stands_in_a_sentence_is_no_markup() -> None:
    comment = markdown(Plan("dev", mended=("loki: <b> *x* [y](z)",), counts={"same": 1}))
    assert r"- loki: \<b\> \*x\* \[y\](z)" in comment


def test_json_has_the_fields_of_the_plan() -> None:
    document = json.loads(as_json(_large(1, 1)))
    assert document["version"] == 1
    assert document["resources"][0]["lost"]
    assert document["topics"][0]["changes"][0] == {
        "verb": "added",
        "what": "alert",
        "name": "Alert0",
        "details": [],
        "note": "",
    }


def test_a_preview_that_failed_says_why() -> None:
    assert json.loads(failure("dev", "no engine"))["error"] == "no engine"
    assert failed_comment("dev", "no engine\n") == (
        "<!-- ops preview: dev -->\n### Preview of `dev` failed\n\n```\nno engine\n```\n"
    )


# Backtest


def test_the_past_of_an_alert_is_told_with_its_figures() -> None:
    trial = Trial("A", 15, Firing(5, 7200, 3600, 2), Firing(1, 300, 300, 1), 0.84, 0.0012, 120)
    found = Plan("dev", backtest=Backtest("http://p:9090", 604800, 604800, (trial,)), counts={"replace": 1})
    said = (
        "would have fired 1 time, 5m in all, in 1 series; before this change: 5 times, 2h in all, "
        "at most 1h at a time, in 2 series; looked at every 15s, in 0.8 s of queries; "
        "one evaluation takes 1.2 ms and reads 120 samples"
    )
    assert f"- `A` {said}" in markdown(found)
    assert "New and changed alerts against the last 7d of http://p:9090" in text(found)


def test_a_prometheus_without_an_answer_is_one_line() -> None:
    found = Plan(
        "dev", backtest=Backtest("http://p:9090", 60, problem="nothing was tried: refused"), counts={"replace": 1}
    )
    assert "- nothing was tried: refused" in markdown(found)


def test_how_much_of_the_window_there_is_is_said() -> None:
    found = Plan("dev", backtest=Backtest("http://p:9090", 604800, 7200, (Trial("A", 15),)), counts={"replace": 1})
    assert "the last 7d of http://p:9090, of which it has 2h" in text(found)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0s"), (59.6, "1m"), (90, "1m 30s"), (604800, "7d"), (93784, "1d 2h")]
)
def test_seconds_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said
