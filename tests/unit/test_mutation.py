"""The tool behind `make mutate`: what it changes, what it runs, and what it excuses."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from bench.mutation.cases import Rules, read_cases
from bench.mutation.changes import changes
from bench.mutation.kept import Kept, key_of
from bench.mutation.mutant import excuses
from bench.mutation.promtool import accepted, problems
from bench.mutation.routing import changed_inhibitions, changed_route, routing_changes, said
from bench.mutation.rules import changes_of, rules_of_the_stack
from config.alertmanager.routes import inhibitions, route
from tests.routing.stacks import DEMO, settings

DOWN = {
    "alert": "Down",
    "expr": 'up{job="a"} == 0 # 5m\nand rate(x{y="> 5"}[5m]) > 1.5',
    "for": "3m",
    "annotations": {"summary": "5"},
}


def _written(directory: Path, head: Mapping[str, object], expression: str, value: int) -> Path:
    """A directory with one file of one case: `expression` has this value where x is 2."""
    ask = {"expr": f"sum({expression})", "eval_time": "1m", "exp_samples": [{"value": value}]}
    test = {"interval": "1m", "input_series": [{"series": "x", "values": "2x5"}], "promql_expr_test": [ask]}
    (directory / "a.yml").write_text(yaml.safe_dump({**head, "tests": [test]}))
    return directory


def test_each_wait_number_window_comparison_and_matcher_of_a_rule_is_changed_and_nothing_else() -> None:
    assert [change.what for change in changes(DOWN)] == [
        "for: 3m -> 6m",
        "for: 3m -> 1m",
        'up{job «= -> !=» "a"} == 0 # 5m and rate(x{y=">',
        'up{job="a"} «== -> !=» 0 # 5m and rate(x{y="> 5"}[5m',
        'up{job="a"} == «0 -> 1» # 5m and rate(x{y="> 5"}[5m])',
        'ob="a"} == 0 # 5m and rate(x{y «= -> !=» "> 5"}[5m]) > 1.5',
        '== 0 # 5m and rate(x{y="> 5"}[ «5m -> 900s» ]) > 1.5',
        '# 5m and rate(x{y="> 5"}[5m]) «> -> >=» 1.5',
        '5m and rate(x{y="> 5"}[5m]) > «1.5 -> 1.35»',
        '5m and rate(x{y="> 5"}[5m]) > «1.5 -> 1.65»',
    ]
    assert all(change.rule["annotations"] == DOWN["annotations"] for change in changes(DOWN))


def test_only_a_case_that_tells_a_rule_from_its_change_fails(tmp_path: Path) -> None:
    rules = Rules({"rules/a.yml": "groups: [{name: a, rules: [{record: 'a:b:c', expr: x * 2}]}]"})
    (place,) = rules.by_place
    head = {"rule_files": ["rules/a.yml"], "evaluation_interval": "1m"}
    cases = read_cases(_written(tmp_path, head, "a:b:c", value=4))
    assert all(place in rules.read_by(case) for case in cases)
    same, other = (rules.files(cases, {place: {"record": "a:b:c", "expr": expr}}, "alerts") for expr in ("2*x", "3*x"))
    unnoticed, noticed = problems([same, other])
    assert unnoticed == ""
    assert "got" in noticed


def test_a_case_is_about_the_rules_that_it_asks_for_and_what_these_read(tmp_path: Path) -> None:
    rules = Rules(
        {
            "rules/a.yml": "groups: [{name: a, rules: [{record: 'a:b:c', expr: x}, {record: 'a:b:d', expr: y}]}]",
            "rules/b.yml": "groups: [{name: b, rules: [{alert: A, expr: 'a:b:c > 1'}]}]",
        }
    )
    head = {"rule_files": ["rules/a.yml", "rules/b.yml"], "evaluation_interval": "1m"}
    (case,) = read_cases(_written(tmp_path, head, 'ALERTS{alertname="A"}', value=1))
    assert {place.file for place in rules.read_by(case)} == {"rules/a.yml", "rules/b.yml"}
    assert len(rules.read_by(case)) == 2


def test_what_prometheus_refuses_is_told() -> None:
    assert accepted({"groups": [{"name": "a", "rules": [{"record": "a", "expr": "1"}]}]})
    assert not accepted({"groups": [{"name": "a", "rules": [{"record": "a", "expr": "1 +"}]}]})


def test_a_result_is_known_in_the_next_run(tmp_path: Path) -> None:
    key = key_of({"rule": 1}, "case")
    assert Kept("rules", tmp_path).get(key) is None
    Kept("rules", tmp_path).put(key, True)
    assert Kept("rules", tmp_path).get(key) is True
    assert Kept("rules", tmp_path).get(key_of({"rule": 2}, "case")) is None


def test_each_change_of_routes_and_inhibitions_changes_what_a_stack_with_everything_has() -> None:
    night = [{"name": "other", "times": ["00:00-24:00"]}, {"name": "x", "weekdays": ["sunday"], "matchers": ['a="b"']}]
    team = [{"name": "else", "kind": "webhook", "secret": "team", "matchers": ['team="a"']}]
    stack = settings(DEMO, muteTimes=night, receivers=team)
    routes, rules = route(stack), inhibitions(stack)
    for change in routing_changes():
        if change["of"] == "routes":
            assert changed_route(routes, change) != routes, change
        else:
            assert changed_inhibitions(rules, change) != rules, change


def test_what_is_excused_are_changes_that_there_are() -> None:
    rules, cases = rules_of_the_stack(), read_cases()
    there = {f"{rules.name_at(place)}: {change.what}" for place, _, change, _ in changes_of(rules, cases, ())}
    there |= {": ".join(said(change)) for change in routing_changes()}
    assert set(excuses()) - there == set()
