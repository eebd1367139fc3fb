"""What changes in rules, routes, scrape jobs and log pipelines, said in their own terms: the stack's real files."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from config.alertmanager import alertmanager_files
from config.logs.alloy import alloy_files
from config.loki import loki_files, rule_files
from config.prometheus import prometheus_files
from ops.plan import jobs, logs, routes, rules
from ops.plan.affected import affected
from ops.plan.model import Change
from ops.plan.words import change
from tests.unit.drawn import dev_settings

_ALERTMANAGER = alertmanager_files(dev_settings())["alertmanager.yml"]
_PROMETHEUS = prometheus_files(dev_settings())
_ALLOY = alloy_files(dev_settings())["config.alloy"]
_LOKI = loki_files(dev_settings())["loki.yaml"]


def _said(changes: Iterator[Change]) -> list[str]:
    return [f"{one.verb}: {change(one, str)}" for one in changes]


def _with(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{text.count(old)} times: {old}"
    return text.replace(old, new)


def _edited(text: str, edit: Callable[[dict[str, Any]], object]) -> str:
    document = yaml.safe_load(text)
    edit(document)
    return yaml.safe_dump(document, sort_keys=False)


# Rules


def _rules(**edited: str) -> list[rules.Rule]:
    files = {path: text for path, text in _PROMETHEUS.items() if path.startswith("rules/")}
    return rules.read({**files, **{f"rules/{name}.yml": text for name, text in edited.items()}})


def _of_rules(before: str, after: str, alert: str = "alert") -> list[str]:
    return _said(rules.changes(rules.read({"rules/a.yml": before}), rules.read({"rules/a.yml": after}), alert))


def _one(**more: object) -> str:
    rule = {"alert": "A", "expr": "x > 0.8", "for": "5m", "labels": {"priority": "P2"}, **more}
    return yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]})


def test_every_rule_of_the_stack_is_read() -> None:
    written = sum(len(re.findall(r"^\s*- (?:alert|record): ", text, re.MULTILINE)) for text in _PROMETHEUS.values())
    assert len(_rules()) == written > 250


def test_the_same_rules_elsewhere_are_no_change() -> None:
    """In another order, another group and another file, with comments and line breaks that mean nothing."""
    text = _PROMETHEUS["rules/redis_alerts.yml"]
    turned = _edited(text, lambda document: document["groups"][0]["rules"].reverse())
    assert _said(rules.changes(rules.read({"a.yml": text}), rules.read({"b.yml": f"# c\n{turned}"}))) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"expr": "x > 0.9"}, "limit > 0.8 → > 0.9"),
        ({"expr": "x >= 0.8"}, "in its expression > → >="),
        ({"expr": "y > 0.8"}, "in its expression x → y"),
        ({"for": "10m"}, "for 5m → 10m"),
        ({"for": None}, "for 5m → 0s"),
        ({"keep_firing_for": "1m"}, "keep_firing_for 0s → 1m"),
        ({"labels": {"priority": "P1"}}, "priority P2 → P1"),
        ({"annotations": {"summary": "S"}}, "other text of the summary"),
        ({"annotations": {"runbook_url": "R"}}, "runbook_url R"),
    ],
)
def test_what_changes_in_an_alert_is_said(more: dict[str, Any], said: str) -> None:
    assert _of_rules(_one(), _one(**more)) == [f"changed: alert A: {said}"]


def test_of_several_limits_only_those_that_differ_are_said() -> None:
    before, after = _one(expr="rate(x[5m]) > 3 and y < 10"), _one(expr="rate(x[5m]) > 3 and y < 20")
    assert _of_rules(before, after) == ["changed: alert A: limit < 10 → < 20"]


def test_an_alert_that_comes_says_what_it_is_and_one_that_goes_who_misses_it() -> None:
    none = "groups: []"
    assert _of_rules(none, _one()) == ["added: alert A added: priority P2; expression x > 0.8; for 5m"]
    assert _of_rules(_one(), none) == ["removed: alert A removed: nobody is told of this any more (it was P2)"]
    assert _of_rules(none, _one(), "log alert")[0].startswith("added: log alert A added")


def test_of_two_alerts_of_one_name_the_one_that_changes_is_said() -> None:
    """ScrapeJobAbsent is one for each job."""
    text = _with(_PROMETHEUS["rules/absent.yml"], 'absent(up{job="redis"})', 'absent(up{job="redis"} == 1)')
    (said,) = _said(rules.changes(_rules(), _rules(absent=text)))
    assert "alert ScrapeJobAbsent (job=redis)" in said
    assert 'expression absent(up{job="redis"}) → absent(up{job="redis"} == 1)' in said


def test_a_threshold_is_said_with_the_alerts_that_read_it() -> None:
    text = prometheus_files(dev_settings(thresholds='{"cpu_usage:ratio": 0.9}'))["rules/thresholds.yml"]
    after = _rules(thresholds=text)
    assert _said(rules.changes(_rules(), after)) == [
        "changed: threshold cpu_usage:ratio: 0.85 → 0.9; read by HighCPUUsage"
    ]
    (tried,) = affected(_rules(), after)
    assert tried.before
    assert "scalar(vector(0.85))" in tried.before.expr
    assert "scalar(vector(0.9))" in tried.after.expr


def test_an_alert_whose_text_alone_changes_is_not_tried_on_the_past() -> None:
    before, after = (rules.read({"a.yml": _one(annotations={"summary": text})}) for text in "ab")
    assert affected(before, after) == []


def test_log_alerts_are_read_as_alerts_are() -> None:
    before = rule_files(dev_settings())
    after = {path: text.replace("[10m]", "[30m]") for path, text in before.items()}
    (said, *_) = _said(rules.changes(rules.read(before), rules.read(after), "log alert"))
    assert said.startswith("changed: log alert ")
    assert "[10m]" in said
    assert "[30m]" in said


# Routes


def _of_routes(edit: Callable[[dict[str, Any]], object]) -> list[str]:
    return _said(routes.changes(_ALERTMANAGER, _edited(_ALERTMANAGER, edit)))


def _p2(document: dict[str, Any]) -> dict[str, Any]:
    return next(route for route in document["route"]["routes"] if route["receiver"] == "P2")


def test_the_same_routes_written_otherwise_are_no_change() -> None:
    assert _of_routes(lambda document: None) == []


def test_a_route_is_named_by_its_matchers_and_its_receiver() -> None:
    assert _of_routes(lambda document: _p2(document).update(repeat_interval="2h")) == [
        'changed: route priority="P2" → P2: repeat_interval 4h → 2h'
    ]


def test_an_inner_route_is_named_by_its_way() -> None:
    assert _of_routes(lambda document: _p2(document)["routes"].pop(0)) == [
        'removed: route priority="P2" › component="database" → P2 removed'
    ]


def test_a_route_that_goes_takes_those_below_it_along() -> None:
    assert _of_routes(lambda document: document["route"]["routes"].remove(_p2(document))) == [
        'removed: route priority="P2" → P2 removed: with 4 below it'
    ]


def test_another_order_is_a_change_as_the_first_that_matches_counts() -> None:
    def turned(document: dict[str, Any]) -> None:
        inner = _p2(document)["routes"]
        inner.insert(0, inner.pop())

    (said,) = _of_routes(turned)
    assert said == (
        'moved: route priority="P2" › component="business" → P2 moved: the first that matches takes an alert'
    )


def test_receivers_say_by_what_they_tell() -> None:
    def told(document: dict[str, Any]) -> None:
        document["receivers"][1]["slack_configs"] = [{"api_url_file": "/run/config/slack"}]

    assert _of_routes(told) == ["changed: receiver P1: slack is told, too"]
    more = _edited(_ALERTMANAGER, told)
    assert _said(routes.changes(more, _ALERTMANAGER)) == ["changed: receiver P1: slack is not told any more"]
    other = more.replace("/run/config/slack", "/run/config/other")
    assert _said(routes.changes(more, other)) == [
        "changed: receiver P1: slack[0].api_url_file /run/config/slack → /run/config/other"
    ]


def test_inhibitions_say_who_silences_whom() -> None:
    (said,) = _of_routes(lambda document: document["inhibit_rules"].pop(0))
    assert said == (
        'removed: inhibition priority="P1", component!="" silences priority=~"P2|P3" removed: '
        "of the same component, instance"
    )
    (said,) = _of_routes(lambda document: document["inhibit_rules"][0].update(equal=["component"]))
    assert said.endswith("equal component, instance → component")


def test_mute_times_come_and_go_by_name() -> None:
    night = {"name": "night", "time_intervals": [{"times": [{"start_time": "22:00", "end_time": "06:00"}]}]}
    (said,) = _of_routes(lambda document: document.update(time_intervals=[night]))
    assert said.startswith("added: mute time night added")


# Scrape jobs


def _of_jobs(edit: Callable[[dict[str, Any]], object]) -> list[str]:
    before = _PROMETHEUS["prometheus.yml"]
    return _said(jobs.changes(before, _edited(before, edit)))


def test_scrape_jobs_come_and_go_by_name() -> None:
    assert _of_jobs(lambda document: document["scrape_configs"].pop(0)) == [
        "removed: scrape job prometheus removed: nothing of it is measured any more"
    ]
    job = {"job_name": "gateway", "static_configs": [{"targets": ["gateway:8001"]}]}
    assert _of_jobs(lambda document: document["scrape_configs"].append(job)) == [
        "added: scrape job gateway added: targets gateway:8001"
    ]


def test_a_job_says_its_targets_and_its_values() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["scrape_configs"][0].update(scrape_interval="30s", sample_limit=5)
        document["scrape_configs"][0]["static_configs"][0]["targets"] = ["other:9090"]

    assert _of_jobs(edit) == [
        "changed: scrape job prometheus: no target prometheus:9090 any more; target other:9090; "
        "sample_limit 10000 → 5; scrape_interval 30s"
    ]


def test_what_holds_for_all_jobs_is_said_once() -> None:
    after = prometheus_files(dev_settings(scrapeInterval="30s"))["prometheus.yml"]
    assert _said(jobs.changes(_PROMETHEUS["prometheus.yml"], after)) == [
        "changed: settings prometheus.yml: global.scrape_interval 10s → 30s"
    ]


# Logs


def _of_logs(old: str, new: str) -> list[str]:
    return _said(logs.alloy_changes(_ALLOY, _with(_ALLOY, old, new)))


def test_every_block_of_the_pipeline_is_read() -> None:
    """What is read and written again is the same text, spaces apart."""

    def written(blocks: tuple[logs.Block, ...]) -> Iterator[str]:
        for block in blocks:
            yield f'{block.name} "{block.label}" {{' if block.label else f"{block.name} {{"
            yield from (f"{name} = {value}" for name, value in block.attributes.items())
            yield from written(block.inside)
            yield "}"

    text = "\n".join(line for line in _ALLOY.splitlines() if not line.startswith("//"))
    assert re.sub(r"\s+", "", "".join(written(logs.read(_ALLOY)))) == re.sub(r"\s+", "", text)


def test_masks_come_go_and_change_by_name() -> None:
    infura = (
        '\tstage.replace {\n\t\texpression = "infura/([0-9a-f]{32})"\n\t\treplace    = "[masked infura-key]"\n\t}\n\n'
    )
    jwt = "\tstage.replace {\n\t\texpression = `(eyJ"
    assert _of_logs(jwt, f"{infura}{jwt}") == ["added: log mask infura-key added: expression infura/([0-9a-f]{32})"]
    assert _of_logs("(AKIA[A-Z0-9]{16})", "(AKIA[A-Z0-9]{20})") == [
        r"changed: log mask aws-key: expression (AKIA[A-Z0-9]{16})\b → (AKIA[A-Z0-9]{20})\b"
    ]
    more = _with(_ALLOY, jwt, f"{infura}{jwt}")
    assert _said(logs.alloy_changes(more, _ALLOY)) == [
        "removed: log mask infura-key removed: expression infura/([0-9a-f]{32}); "
        "what it found stands in the log lines from then on"
    ]


def test_sources_say_what_they_are_found_by() -> None:
    after = alloy_files(dev_settings(logContainers='{"kong-access": "edge-.+"}'))["config.alloy"]
    (said,) = _said(logs.alloy_changes(_ALLOY, after))
    assert said == (
        r"changed: log source kong-access: found by (?:(.*[-_])?kong([-_]\d+)?);stdout → (?:edge-.+);stdout"
    )


def test_how_a_source_is_read_is_told_by_its_name() -> None:
    said = _of_logs("LOG:  duration: (?P<duration_ms>[0-9.]+) ms", "LOG:  duration: (?P<ms>[0-9.]+) ms")
    assert len(said) == 1
    assert said[0].startswith(
        "changed: reading of log lines postgres: regex.expression LOG:  duration: (?P<duration_ms>"
    )


def test_the_way_to_loki_is_part_of_it() -> None:
    assert _of_logs('batch_wait          = "500ms"', 'batch_wait          = "2s"') == [
        "changed: log pipeline loki.write loki: endpoint.batch_wait 500ms → 2s"
    ]


def test_loki_says_what_it_keeps_for_how_long_and_what_is_deleted_sooner() -> None:
    after = loki_files(dev_settings(lokiRetention="7d"))["loki.yaml"]
    (said,) = _said(logs.loki_changes(_LOKI, after))
    assert "limits_config.retention_period 720h → 168h" in said
    assert list(logs.shorter_retention(_LOKI, after)) == [
        "loki keeps all lines for 168h in place of 720h: older ones are deleted"
    ]
    assert list(logs.shorter_retention(after, _LOKI)) == []


def test_the_retention_of_some_lines_is_told_by_their_selector() -> None:
    after = _with(_LOKI, "period: 72h", "period: 24h")
    assert list(logs.shorter_retention(_LOKI, after)) == [
        'loki keeps {level="debug"} for 24h in place of 72h: older ones are deleted'
    ]
