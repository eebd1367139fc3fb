"""The five dashboards as Grafana gets them, checked without a Grafana."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from config.defaults import default_thresholds
from config.project import ROOT
from config.prometheus import prometheus_files
from dashboards import build
from dashboards.links import to_logs, to_request
from dashboards.objectives import PAGE_BURN
from images.catalogue import pinned, tags
from lab import toolchain
from lab.cache import cache as cache_directory
from tests.unit.drawn import UIDS, Json, Query, dashboards, dev_settings, panels, queries, thresholds

# The panels that Grafana brings along: the ids of public/app/plugins/panel/*/plugin.json in its source, v12.4.0,
# without those that are in alpha, are deprecated, or are for its own first page.
# fmt: off
BUILT_IN = {
    "alertlist", "annolist", "barchart", "bargauge", "candlestick", "canvas", "dashlist", "flamegraph", "gauge",
    "geomap", "heatmap", "histogram", "logs", "news", "nodeGraph", "piechart", "stat", "state-timeline",
    "status-history",
    "table", "text", "timeseries", "traces", "trend", "xychart",
}
# fmt: on

# Asks Prometheus and Loki for their rules by itself, so it has no queries, and what it shows has no unit.
WITHOUT_QUERIES = {"alertlist"}

# Metrics as their exporters name them, for which no recording rule is kept.
RAW = {
    "ALERTS",
    "ALERTS_FOR_STATE",
    "alertmanager_alerts",
    "alertmanager_notifications_failed_total",
    "kong_http_requests_total",
    "kong_request_latency_ms_bucket",
    "kong_upstream_target_health",
    "loki_distributor_lines_received_total",
    "loki_write_sent_entries_total",
    "node_memory_Buffers_bytes",
    "node_memory_Cached_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "pg_long_running_transactions_oldest_timestamp_seconds",
    "pg_stat_statements_calls_total",
    "pg_stat_statements_seconds_total",
    "pg_statement_info",
    "pg_up",
    "process_resident_memory_bytes",
    "prometheus_notifications_errors_total",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_rule_group_last_duration_seconds",
    "prometheus_tsdb_head_samples_appended_total",
    "promtail_sent_entries_total",
    "realtime_replication_poller_query_duration_bucket",
    "redis_up",
    "scrape_duration_seconds",
    "up",
    "websocket_connections",
}

# Colour changes that are no threshold of an alert's: the number of alerts that fire.
NO_ALERT = {"Alerts"}


def every_panel() -> Iterator[tuple[str, Json]]:
    for uid, dashboard in dashboards().items():
        for panel in panels(dashboard):
            yield f"{uid} / {panel['title']}", panel


# ----------------------------------------------------------------------------------------------------------------------
# The pages


def test_there_are_five_dashboards_with_uids_that_stay() -> None:
    found = dashboards()
    assert sorted(found) == UIDS
    assert all(dashboard["uid"] == uid and len(uid) <= 40 for uid, dashboard in found.items())


@pytest.mark.parametrize("uid", UIDS)
def test_a_dashboard_is_readable_everywhere(uid: str) -> None:
    dashboard = dashboards()[uid]
    assert dashboard["refresh"] == "10s"
    assert dashboard["editable"] is False
    assert dashboard["description"]
    to_others = [link for link in dashboard["links"] if link["type"] == "dashboards"]
    assert to_others
    assert all(link["keepTime"] for link in to_others)
    assert dashboard["tags"] == to_others[0]["tags"]
    # Colours by name have a shade for the light theme and one for the dark.
    assert not re.search(r'"#[0-9a-fA-F]{3,8}"|rgb\(', json.dumps(dashboard))


@pytest.mark.parametrize("uid", UIDS)
def test_a_dashboard_marks_the_deployments_of_its_stack(uid: str) -> None:
    (marks,) = [each for each in dashboards()[uid]["annotations"]["list"] if each["name"] == "Deployments"]
    assert marks["enable"]
    assert marks["target"]["tags"] == ["deployment", "stack:dev"]


@pytest.mark.parametrize("uid", UIDS)
def test_a_page_begins_with_what_fires_and_ends_with_the_logs(uid: str) -> None:
    rows = [panel["title"] for panel in dashboards()[uid]["panels"] if panel["type"] == "row"]
    assert rows[0] == "What is firing"
    assert rows[-1] == "Logs"
    assert len(rows) >= 4


@pytest.mark.parametrize("uid", UIDS)
def test_no_two_panels_overlap(uid: str) -> None:
    dashboard = dashboards()[uid]
    places = [(each["title"], each["gridPos"]) for each in dashboard["panels"]]
    places += [(each["title"], each["gridPos"]) for row in dashboard["panels"] for each in row.get("panels", [])]
    for title, place in places:
        assert place["x"] >= 0, title
        assert place["x"] + place["w"] <= 24, title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, f"{one} lies over {other}"


@pytest.mark.parametrize("uid", UIDS)
def test_titles_differ_within_a_page(uid: str) -> None:
    titles = [panel["title"] for panel in panels(dashboards()[uid])]
    assert len(set(titles)) == len(titles)


def test_every_panel_is_one_that_grafana_brings_along() -> None:
    """Of another it says "Plugin not found"."""
    assert {panel["type"] for _, panel in every_panel()} <= BUILT_IN
    # Another major release: read its list again.
    assert ":12." in pinned("grafana")


@pytest.mark.parametrize(("name", "panel"), [pytest.param(n, p, id=n) for n, p in every_panel()])
def test_a_panel_says_what_it_shows(name: str, panel: Json) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 10
    assert panel["datasource"]["uid"] in ("prometheus", "loki", "alertmanager")
    if panel["type"] in WITHOUT_QUERIES:
        return
    assert panel["targets"]
    assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    # Without them Grafana has its own, and paints everything above 80 red.
    assert defaults["thresholds"]["steps"]
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"]
        assert panel["options"]["legend"]["calcs"]
        assert panel["datasource"]["uid"] == "loki" or defaults["links"]
    if panel["type"] in ("gauge", "stat"):
        assert defaults["links"]


def test_every_table_of_things_leads_somewhere() -> None:
    tables = {name: panel for name, panel in every_panel() if panel["type"] == "table"}
    assert len(tables) >= 7
    leads = {
        name
        for name, panel in tables.items()
        if any(p["id"] == "links" for o in panel["fieldConfig"]["overrides"] for p in o["properties"])
    }
    # A statement is looked up in the database itself.
    assert set(tables) - leads == {"database / Statements that take the most time"}


# ----------------------------------------------------------------------------------------------------------------------
# The JSON


def test_the_json_is_canonical() -> None:
    for text in build(dev_settings()).values():
        dashboard = json.loads(text)
        assert text == json.dumps(dashboard, sort_keys=True, separators=(",", ":"))
        assert not {"id", "version"} & set(dashboard)
        assert not any("id" in panel for panel in dashboard["panels"])


def test_the_json_is_the_same_in_every_process() -> None:
    program = (
        "import sys; from dashboards import build; from tests.unit.drawn import dev_settings;"
        "[sys.stdout.write(uid + text) for uid, text in build(dev_settings()).items()]"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(texts[0]) > 50_000
    assert texts[0] == texts[1]


def test_what_a_stack_sets_is_in_its_dashboards() -> None:
    settings = dev_settings(
        runbookBaseUrl="https://runbooks.example/pages", logAgent="promtail", alertmanagerPort="9999", demo="true"
    )
    text = "".join(build(settings).values())
    assert "https://runbooks.example/pages/${__data.fields" in text
    assert "http://127.0.0.1:9999" in text
    assert "promtail_sent_entries_total" in text
    assert "loki_write_sent_entries_total" not in text


# ----------------------------------------------------------------------------------------------------------------------
# The queries


def checked(tmp_path: Path, expressions: list[str]) -> subprocess.CompletedProcess[str]:
    """What promtool says of PromQL expressions, each the rule of one file."""
    rules = [{"record": f"query:{number}:parsed", "expr": expr} for number, expr in enumerate(expressions)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    return subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)


def promql() -> list[Query]:
    return [query for query in queries() if query.source == "prometheus"]


def test_every_promql_query_parses(tmp_path: Path) -> None:
    result = checked(tmp_path, [query.expr for query in promql()])
    assert result.returncode == 0, result.stderr
    assert f"{len(promql())} rules found" in result.stdout


def test_a_broken_query_would_be_found(tmp_path: Path) -> None:
    assert checked(tmp_path, ["sum(up"]).returncode != 0


def test_windows_are_left_to_grafana_or_to_a_recording_rule() -> None:
    for dashboard in dashboards().values():
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                bare = re.sub(r'"[^"]*"', "", target["expr"])
                # A figure of the present may be one of all the time shown.
                allowed = {"$__rate_interval", "$__range"} if target.get("instant") else {"$__rate_interval"}
                for window in re.findall(r"(?:rate|irate|increase)\([^][]*\[([^]]+)]", bare):
                    assert window in allowed, f"{panel['title']}: {target['expr']}"


def series_of(expr: str) -> set[str]:
    """The names of the series that a PromQL expression reads."""
    names = set()
    for alternatives in re.findall(r'__name__=~"([^"]*)"', expr):
        names |= set(alternatives.split("|"))
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\{[^}]*}|\[[^]]*]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    words = re.findall(r"[a-zA-Z_:][\w:]*(?!\w|\s*\()", bare)
    keywords = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "inf", "nan"}
    return names | {word for word in words if word.lower() not in keywords}


@cache
def rules() -> list[Json]:
    """Every rule as Prometheus gets it."""
    files = prometheus_files(dev_settings(), tags(dev_settings()))
    texts = [text for path, text in files.items() if path.startswith("rules/")]
    return [rule for text in texts for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_every_series_that_a_query_names_is_recorded_or_known() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for query in promql():
        unknown = series_of(query.expr) - recorded - RAW
        assert not unknown, f"{query}: {unknown}"


def test_the_list_of_raw_metrics_names_none_that_nothing_reads() -> None:
    agents = [dev_settings(), dev_settings(logAgent="promtail")]
    read = {name for settings in agents for query in queries(settings) for name in series_of(query.expr)}
    assert read | {"up", "pg_up", "redis_up"} >= RAW


# ----------------------------------------------------------------------------------------------------------------------
# The thresholds


@cache
def reach(name: str) -> frozenset[str]:
    """A series, and all that it is recorded from."""
    found = {name}
    for rule in rules():
        if rule.get("record") == name:
            found |= {name for source in series_of(rule["expr"]) for name in reach(source)}
    return frozenset(found)


@cache
def marked() -> dict[float, str]:
    """A number of its own for each threshold's key."""
    return {1_000_000.0 + number: key for number, key in enumerate(sorted(default_thresholds()))}


@cache
def panels_with_marks() -> list[tuple[str, Json, set[str]]]:
    """Name of the panel, the panel, and the keys whose thresholds it shows."""
    settings = dev_settings(thresholds=json.dumps({key: number for number, key in marked().items()}))
    found = []
    for uid, dashboard in dashboards(settings).items():
        for panel in panels(dashboard):
            keys = set()
            if panel["type"] not in WITHOUT_QUERIES:
                keys = {marked()[value] for value in thresholds(panel) if value in marked()}
            found.append((f"{uid} / {panel['title']}", panel, keys))
    return found


def compared() -> list[tuple[str, str, str, str]]:
    """Alert, the series it compares, the side on which that is bad, and the threshold's key."""
    comparison = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{[^}]*})?\s*([<>])\s*scalar\(threshold:([\w:]+)\)")
    return [
        (rule["alert"], *match) for rule in rules() if "alert" in rule for match in comparison.findall(rule["expr"])
    ]


def test_a_threshold_is_that_of_an_alert_on_the_same_series() -> None:
    alerts = [rule["expr"] for rule in rules() if "alert" in rule]
    shown = 0
    for name, panel, keys in panels_with_marks():
        read = {
            each
            for target in panel.get("targets", [])
            for series in series_of(target["expr"])
            for each in reach(series)
        }
        for key in keys:
            judged = [expr for expr in alerts if f"threshold:{key})" in expr]
            assert judged, f"{name} shows the threshold {key}, with which no alert compares"
            theirs = {each for expr in judged for series in series_of(expr) for each in reach(series)}
            assert read & theirs - {f"threshold:{key}"}, f"{name} and the alert on {key} read nothing in common"
            shown += 1
    assert shown >= 35


def test_a_panel_of_what_an_alert_compares_shows_the_alerts_threshold() -> None:
    for name, panel, keys in panels_with_marks():
        read = {series for target in panel.get("targets", []) for series in series_of(target["expr"])}
        for alert, series, _, key in compared():
            if series in read and series not in RAW:
                assert key in keys, f"{name} shows {series}, and not at which value {alert} fires"


def test_a_dial_is_red_on_the_side_where_the_alert_fires() -> None:
    sides = {key: side for _, _, side, key in compared()}
    dials = 0
    for name, panel, keys in panels_with_marks():
        if panel["type"] != "gauge" or not keys:
            continue
        (key,) = keys
        colors = [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert colors == (["green", "red"] if sides[key] == ">" else ["red", "green"]), name
        dials += 1
    assert dials >= 10


def test_no_number_is_drawn_that_no_alert_has() -> None:
    """The thresholds that no stack may change stand in the alerts as numbers."""
    numbers = set()
    for name, panel, _ in panels_with_marks():
        if panel["type"] in WITHOUT_QUERIES or panel["title"] in NO_ALERT:
            continue
        numbers |= {(value, name) for value in thresholds(panel) if value not in marked()}
    assert {value for value, _ in numbers} == {PAGE_BURN}
    burning = [rule["expr"] for rule in rules() if rule.get("alert", "").endswith("ErrorBudgetBurnFast")]
    assert len(burning) == 2
    assert all(f"> {PAGE_BURN} * (1 - scalar(threshold:" in expr for expr in burning)


# ----------------------------------------------------------------------------------------------------------------------
# grafana/dashboard-linter


def linted(tmp_path: Path, found: dict[str, Json]) -> list[str]:
    """What the linter complains of, strictly, under our .lint file."""
    linter = shutil.which("dashboard-linter") or str(toolchain.build("dashboard-linter", cache_directory(), print))
    (tmp_path / ".lint").write_text((ROOT / "dashboards/.lint").read_text())
    complaints = []
    for uid, dashboard in found.items():
        file = tmp_path / f"{uid}.json"
        file.write_text(json.dumps(dashboard))
        result = subprocess.run(
            [linter, "lint", "--strict", file.name], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        if result.returncode:
            complaints.append(result.stdout + result.stderr)
    return complaints


def with_variable(dashboard: Json) -> Json:
    """The dashboard's Prometheus panels with a variable for their data source: without, PromQL is not looked at.

    With one, the linter takes every query for PromQL, so the logs are left out; it reads LogQL with or without.
    """
    changed: Json = json.loads(json.dumps(dashboard).replace('"uid": "prometheus"', '"uid": "$datasource"'))
    changed["panels"] = [p for p in changed["panels"] if p.get("datasource", {}).get("type") != "loki"]
    variable = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    changed["templating"]["list"].insert(0, variable)
    return changed


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    assert linted(tmp_path, dashboards()) == []


def test_the_linter_finds_nothing_in_the_promql_either(tmp_path: Path) -> None:
    assert linted(tmp_path, {uid: with_variable(dashboard) for uid, dashboard in dashboards().items()}) == []


def test_the_linter_would_find_broken_queries(tmp_path: Path) -> None:
    dashboard = dashboards()["database"]
    # The volume of lines; the linter does not look at the lines themselves, whose selector is the same.
    dashboard["panels"][-2]["targets"][0]["expr"] = 'sum(count_over_time({service="postgres" |= [$__auto]))'
    (complaint,) = linted(tmp_path, {"database": dashboard})
    assert "invalid LogQL query" in complaint
    dashboard = with_variable(dashboards()["database"])
    dashboard["panels"][1]["targets"][0]["expr"] = "sum(rate(pg_up[5m])"
    (complaint,) = linted(tmp_path, {"database": dashboard})
    assert "invalid PromQL query" in complaint


def test_every_exclusion_from_linting_has_a_reason() -> None:
    exclusions = yaml.safe_load((ROOT / "dashboards/.lint").read_text())["exclusions"]
    assert all(len(each["reason"]) > 20 for each in exclusions.values())


# ----------------------------------------------------------------------------------------------------------------------
# The links


def test_a_link_to_logs_keeps_the_time_and_quotes_the_rest() -> None:
    link = to_logs('{service=~"a|b"} |= `${__data.fields.Route}`')
    assert link.url.startswith("/explore?left=%7B%22datasource%22%3A%22loki%22")
    assert "%22from%22%3A%22${__from}%22%2C%22to%22%3A%22${__to}%22" in link.url
    assert "${__data.fields.Route}" in link.url
    assert not set('"{}|` ') & set(re.sub(r"\$\{[^}]*}", "", link.url))


def test_a_request_id_leads_to_the_lines_of_its_request_in_this_stack() -> None:
    url = to_request(dev_settings(grafanaUrl="https://grafana.example/sub")).url
    assert url.startswith("https://grafana.example/sub/explore?left=")
    assert "request_id%3D%5C%22${__value.raw}%5C%22" in url
