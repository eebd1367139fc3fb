"""The rules are well formed, follow the conventions, and each of them has a case, a runbook and a dashboard."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from config.defaults import default_thresholds
from config.durations import seconds, spelled
from config.project import ROOT
from config.prometheus import prometheus_files
from config.prometheus.jobs import scrape_jobs
from config.prometheus.waits import is_window, shorten_waits
from config.settings import Settings
from dashboards import build
from images.catalogue import tags
from lab import toolchain
from lab.cache import cache
from tests.rules.conftest import write
from tests.rules.reading import (
    CASES,
    RULES,
    RUNBOOKS,
    Rule,
    dev,
    prod,
    rules_of,
    written_log_rules,
    written_rules,
)

COMPONENTS = {
    "system",
    "database",
    "redis",
    "websocket",
    "api_gateway",
    "realtime",
    "business",
    "docker",
    "monitoring",
}
WRITTEN = written_rules()
ALERTS = sorted({rule.name for rule in rules_of(prometheus_files(dev())) if rule.is_alert})
RECORDINGS = sorted({rule.name for rule in WRITTEN if not rule.is_alert})
# Those that Loki evaluates over lines; tests/logs holds that they fire.
LOG_RULES = written_log_rules()
LOG_ALERTS = sorted({rule.name for rule in LOG_RULES if rule.is_alert})
# Those that are no incident, and so have no priority.
NO_INCIDENT = {"Watchdog", "SmokeTest", "SmokeTestLog"}
# No state of the world keeps it quiet.
ALWAYS_FIRING = {"Watchdog"}
# Those of no fixed priority or component take them from their target.
OF_THEIR_TARGET = {"ServiceDown", "ServiceFlapping", "ExporterCollectorFailed", "ExporterScrapeError"}

FIXED = {
    "P1": """HighCPUUsage HighMemoryUsage DiskSpaceLow ServiceDown PostgreSQLDown PostgreSQLTooManyConnections
        PostgreSQLHighReplicationLag RedisDown RedisHighMemoryUsage WebSocketServerDown KongDown KongHighErrorRate
        RealtimeDown""",
    "P2": """PostgreSQLDeadlocks RedisHighConnectionCount RedisHighEvictionRate WebSocketHighConnectionCount
        WebSocketHighLatency WebSocketHighErrorRate KongHighLatency RealtimeHighChannelCount RealtimeHighEventRate
        HighUnsubscribeRate NoEventsProcessed ContainerHighCPU ContainerHighMemory ContainerRestarting""",
    "P3": "KongHighRequestRate LowSubscriptionRate",
}


def run(*command: str, cwd: Path) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(dev(), id="dev"),
        pytest.param(dev(logAgent="promtail", grafanaMode="none"), id="dev with Promtail and without Grafana"),
        pytest.param(dev(drill="true"), id="dev while drilled"),
        pytest.param(prod(), id="prod"),
    ],
)
def test_prometheus_accepts_its_files(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path, prometheus_files(settings, tags(settings)))
    # Only the syntax, as the token of Realtime is not there.
    run("promtool", "check", "config", "--syntax-only", "--lint=all", "--lint-fatal", "prometheus.yml", cwd=tmp_path)
    rules = [str(path) for path in sorted((tmp_path / "rules").iterdir())]
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *rules, cwd=tmp_path)


def test_pint_finds_nothing(rendered: Path) -> None:
    pint = shutil.which("pint") or str(toolchain.build("pint", cache(), print))
    config = str(ROOT / "config/prometheus/pint.hcl")
    run(pint, "--offline", "-c", config, "lint", "--fail-on=info", "--min-severity=info", "rules", cwd=rendered)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.glob("*.yml")))
def test_cases(case: str, cases: Path) -> None:
    run("promtool", "test", "rules", "--diff", case, cwd=cases)


def test_every_alert_fires_in_a_case_and_is_quiet_in_another() -> None:
    fires: set[str] = set()
    quiet: set[str] = set()
    for path in CASES.glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for test in group.get("alert_rule_test", []):
                (fires if test["exp_alerts"] else quiet).add(test["alertname"])
    written = {rule.name for rule in WRITTEN if rule.is_alert}
    assert written - fires == set()
    assert written - quiet == ALWAYS_FIRING
    assert (fires | quiet) - written == set(), "a case for an alert that does not exist"


def test_every_recording_rule_has_a_value_in_a_case() -> None:
    seen = set()
    for path in CASES.glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for test in group.get("promql_expr_test", []):
                if test["exp_samples"]:
                    seen |= set(re.findall(r"[a-z_]+:[a-zA-Z0-9_]+:[a-zA-Z0-9_]+", test["expr"]))
    assert set(RECORDINGS) - seen == set()
    assert seen - set(RECORDINGS) == set(), "a case for a recording rule that does not exist"


def test_there_are_as_many_rules_and_groups_as_the_stack_promises() -> None:
    assert {rule.group for rule in WRITTEN if rule.is_alert} == COMPONENTS
    assert {rule.group for rule in WRITTEN if not rule.is_alert} == COMPONENTS - {"monitoring"} | {
        "availability",
        "performance",
    }
    assert len({rule.name for rule in WRITTEN if rule.is_alert}) >= 45
    assert len(RECORDINGS) >= 90


def test_the_fixed_alerts_have_their_priority() -> None:
    priority = {rule.name: rule.body["labels"]["priority"] for rule in WRITTEN if rule.is_alert}
    expected = {name: level for level, names in FIXED.items() for name in names.split()}
    assert {name: priority.get(name) for name in expected} == expected


def test_a_file_holds_one_component_and_alerts_and_recordings_apart() -> None:
    for rule in WRITTEN:
        kind = "alerts" if rule.is_alert else "recordings"
        assert rule.file == f"rules/{rule.group}_{kind}.yml", rule.name


def test_names_are_used_once() -> None:
    """Once for each priority, for an alert that gets more urgent."""
    counts = Counter((rule.name, rule.is_alert, rule.body.get("labels", {}).get("priority")) for rule in WRITTEN)
    assert [name for (name, *_), count in counts.items() if count > 1] == []


def test_every_alert_has_what_its_reader_needs() -> None:
    uids = set(build(dev()))
    for rule in rules_of(prometheus_files(dev())):
        if not rule.is_alert:
            continue
        labels, annotations = rule.body["labels"], rule.body["annotations"]
        assert "for" in rule.body, rule.name
        assert labels["priority"] in {"P1", "P2", "P3"} or rule.name in NO_INCIDENT, rule.name
        if rule.name in OF_THEIR_TARGET:
            assert "component" not in labels, rule.name
        else:
            assert labels["component"] in COMPONENTS, rule.name
        assert rule.file == "rules/absent.yml" or labels.get("component", rule.group) == rule.group, rule.name
        assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}, rule.name
        assert re.fullmatch(r"[A-Za-z1-9].*\.", annotations["summary"]), f"{rule.name}: a sentence"
        if rule.file != "rules/absent.yml":
            assert "{{" not in annotations["summary"], f"{rule.name}: the headline of a group is the same for all in it"
        assert annotations["runbook_url"] == "{{ $externalLabels.runbook_base }}/" + f"{rule.name}.md"
        link = re.fullmatch(
            r"\{\{ with \$externalLabels\.grafana_base \}\}\{\{ \. \}\}/d/([a-z-]+)\{\{ end \}\}",
            annotations["dashboard_url"],
        )
        assert link, rule.name
        assert link.group(1) in uids, rule.name


def test_every_recording_rule_says_level_metric_and_operations() -> None:
    level = "job|instance"
    dimensions = "class|cmd|code|datname|device|direction|le|mode|mountpoint|name|route|shared_dict|source|state|type"
    dimensions += "|action|channel"
    for name in RECORDINGS:
        assert re.fullmatch(rf"({level})(_({dimensions}))*:[a-z0-9_]+:[a-z0-9_]+", name), name


def test_every_recording_rule_is_a_plain_series() -> None:
    assert [rule.name for rule in WRITTEN if not rule.is_alert and rule.body.keys() != {"record", "expr"}] == []


def test_thresholds_are_read_and_exist() -> None:
    read = set()
    for rule in (*WRITTEN, *LOG_RULES):
        read |= set(re.findall(r"threshold:([a-z0-9_]+:[a-z]+)", rule.body["expr"]))
    assert read == set(default_thresholds())


def test_a_threshold_says_what_it_decides() -> None:
    table = yaml.safe_load((ROOT / "config/prometheus/thresholds.yaml").read_text())
    for key, entry in table.items():
        assert set(entry) == {"default", "unit", "description"}, key
        named = re.findall(r"\b([A-Z][A-Za-z]+) fires", entry["description"])
        assert all(name in {*ALERTS, *LOG_ALERTS} for name in named), key


def test_a_stack_has_its_own_thresholds() -> None:
    files = prometheus_files(dev(thresholds=json.dumps({"cpu_usage:ratio": 0.5})))
    values = {rule.name: rule.body["expr"] for rule in rules_of(files) if rule.file == "rules/thresholds.yml"}
    assert values["threshold:cpu_usage:ratio"] == "vector(0.5)"
    assert values["threshold:memory_usage:ratio"] == f"vector({default_thresholds()['memory_usage:ratio']!r})"


def test_every_page_has_an_alert_and_every_alert_a_page() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {*ALERTS, *LOG_ALERTS}


def test_a_page_answers_the_five_questions() -> None:
    headings = ["What it means", "Confirm", "First three things to do", "Stop the bleeding", "Escalate"]
    for name in (*ALERTS, *LOG_ALERTS):
        text = (RUNBOOKS / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n"), name
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == headings, name
        first = text.split("## First three things to do")[1].split("\n## ")[0]
        assert re.findall(r"^(\d)\. ", first, re.MULTILINE) == ["1", "2", "3"], name


def test_a_page_names_its_threshold_and_no_other_key() -> None:
    known = default_thresholds()
    exprs: dict[str, str] = {}
    for rule in WRITTEN:
        if rule.is_alert:
            exprs[rule.name] = exprs.get(rule.name, "") + rule.body["expr"]
    for rule in LOG_RULES:
        exprs[rule.name] = rule.body["expr"]
    for name in (*ALERTS, *LOG_ALERTS):
        text = (RUNBOOKS / f"{name}.md").read_text()
        for key in re.findall(r"threshold:([a-z0-9_]+:[a-z]+)", exprs.get(name, "")):
            assert f"`{key}`" in text, f"{name}.md does not name {key}"
        for key in re.findall(r"`([a-z0-9_]+:(?:ratio|seconds|count|rate|bytes|transactions))`", text):
            assert key in known, f"{name}.md names {key}, which is no threshold"


def test_the_index_lists_every_page_with_its_priority_and_summary() -> None:
    text = (RUNBOOKS / "README.md").read_text()
    lines = set(text.splitlines())
    for rule in (*WRITTEN, *LOG_RULES):
        if rule.is_alert:
            priority, summary = rule.body["labels"]["priority"], rule.body["annotations"]["summary"]
            assert f"| [{rule.name}]({rule.name}.md) | {priority} | {summary} |" in lines, rule.name
    assert set(re.findall(r"\]\((\w+)\.md\)", text)) == {*ALERTS, *LOG_ALERTS}


def test_queries_of_the_runbooks_are_promql(rendered: Path) -> None:
    """Each block of PromQL in a page becomes a rule, which promtool then reads."""
    rules: list[dict[str, str]] = []
    for path in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL):
            for query in block.strip().split("\n\n"):
                rules.append({"record": f"runbook:{path.stem}:query{len(rules)}", "expr": query})
    assert len(rules) >= len(ALERTS)
    (rendered / "runbooks.yml").write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))
    run("promtool", "check", "rules", "runbooks.yml", cwd=rendered)


def test_a_drill_shortens_waits_and_nothing_else() -> None:
    plain = {(rule.file, rule.name, rule.body["expr"]) for rule in rules_of(prometheus_files(dev()))}
    drilled = {(rule.file, rule.name, rule.body["expr"]) for rule in rules_of(prometheus_files(dev(drill="true")))}
    assert plain == drilled
    for rule in rules_of(prometheus_files(dev(drill="true"))):
        if rule.is_alert:
            assert seconds(rule.body["for"]) <= 30, rule.name
            assert seconds(rule.body.get("keep_firing_for", "0s")) <= 30, rule.name


@pytest.mark.parametrize(
    ("written", "shortened"), [("0s", "0s"), ("10s", "10s"), ("1m", "10s"), ("3m", "18s"), ("1h", "30s")]
)
def test_a_wait_is_a_tenth_and_within_bounds(written: str, shortened: str) -> None:
    rule = f"      - alert: A\n        expr: x[5m] > 1  # for: 1h\n        for: {written}\n"
    assert shorten_waits(rule) == rule.replace(f"        for: {written}\n", f"        for: {shortened}\n")


def test_what_a_text_says_of_its_wait_is_what_is_in_force() -> None:
    """ "for 3 minutes" in a description is the rule's own `for`, also while drilled, or a window that it looks back."""
    named = set()
    for settings in (dev(), dev(drill="true")):
        for rule in rules_of(prometheus_files(settings)):
            for number, unit in re.findall(r"\bfor (\d+) (second|minute|hour)s?\b", _description(rule)):
                said = f"{number}{unit[0]}"
                if not is_window(said, rule.body["expr"]):
                    assert spelled(rule.body["for"]) == spelled(said), rule.name
                    named.add(rule.name)
    assert named >= {"ServiceDown", "KongDown", "PostgreSQLDown", "RedisDown", "ContainerUnhealthy", "KeyMetricAbsent"}


def _description(rule: Rule) -> str:
    text: str = rule.body["annotations"]["description"] if rule.is_alert else ""
    return " ".join(text.split())


def test_a_window_that_a_text_names_is_not_shortened() -> None:
    descriptions = {rule.name: _description(rule) for rule in rules_of(prometheus_files(dev(drill="true")))}
    assert "for 5 minutes" in descriptions["LogPipelineStopped"]
    assert "for 5 minutes" in descriptions["WebSocketNoMessages"]


@pytest.mark.parametrize(
    ("duration", "words"),
    [("10s", "10 seconds"), ("1m", "1 minute"), ("1m30s", "90 seconds"), ("1h", "1 hour"), ("2d", "2 days")],
)
def test_a_duration_in_words(duration: str, words: str) -> None:
    assert spelled(duration) == words


@pytest.mark.parametrize("wrong", ["", "5", "m", "5 m", "1h x", "-1m"])
def test_what_is_no_duration_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(wrong)


def test_rule_files_are_copied_as_they_stand() -> None:
    files = prometheus_files(dev())
    for path in RULES.glob("*.yml"):
        assert files[f"rules/{path.name}"] == path.read_text()


def test_what_prod_was_not_given_is_neither_scraped_nor_missed() -> None:
    files = prometheus_files(prod())
    jobs = {job.name for job in scrape_jobs(prod())}
    assert jobs == {
        "prometheus", "alertmanager", "grafana", "loki", "alloy", "node", "cadvisor", "postgres", "redis", "kong"
    }  # fmt: skip
    assert "realtime" not in files["prometheus.yml"]
    assert "realtime" not in files["rules/absent.yml"]


def test_dev_has_every_job() -> None:
    assert [job.name for job in scrape_jobs(dev())] == [
        "prometheus",
        "alertmanager",
        "grafana",
        "loki",
        "alloy",
        "node",
        "cadvisor",
        "postgres",
        "redis",
        "kong",
        "realtime",
        "websocket",
        "application",
        "endpoints",
    ]
