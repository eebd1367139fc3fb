"""The files that Alertmanager, Loki and the log agent read, as their own tools see them."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.alertmanager import DIRECTORY, alertmanager_files, alertmanager_secrets, warnings
from config.logs.alloy import alloy_files
from config.logs.promtail import promtail_files
from config.loki import loki_files, rule_files
from config.project import ROOT
from config.settings import Settings, load
from dashboards import build
from tests.unit.test_settings import SECRETS

# What each receiver needs; a stack may lack any of them.
CHANNELS = {
    "pagerduty": {"pagerdutyServiceKey": "pagerduty-s3cret"},
    "slack": {"slackWebhookUrl": "https://hooks.slack.example/s3cret"},
    "email": {"smtpHost": "smtp.example", "smtpFrom": "monitoring@example.org", "smtpPassword": "smtp-s3cret"},
    "critical": {"alertEmailCritical": "critical@example.org"},
    "high": {"alertEmailHigh": "high@example.org"},
    "heartbeat": {"heartbeatUrl": "https://heartbeat.example/s3cret"},
}
BASE = {
    "demo": "true",
    **{
        key: SECRETS[key]
        for key in ("grafanaAdminPassword", "postgresPassword", "redisPassword", "realtimeMetricsSecret")
    },
}
COMPONENTS = (
    *("system", "database", "redis", "websocket", "api_gateway"),
    *("realtime", "business", "docker", "monitoring"),
)


def settings(*missing: str, **changes: str) -> Settings:
    """A stack with every channel but those that are missing."""
    given = [values for channel, values in CHANNELS.items() if channel not in missing]
    values = {**BASE, **{key: value for values in given for key, value in values.items()}, **changes}
    return load("dev", values, environment={}, dotenv=Path("/nonexistent"))


def run(*command: str | Path) -> str:
    """What a tool prints, all of it; fails with it when the tool does."""
    result = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def written(files: Mapping[str, str], directory: Path, mounted: str) -> Path:
    """`directory` with the files as they lie at `mounted` in a container."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(mounted, str(directory)))
    return directory


def configuration(stack: Settings) -> dict[str, Any]:
    """Alertmanager's configuration of a stack."""
    parsed: dict[str, Any] = yaml.safe_load(alertmanager_files(stack)["alertmanager.yml"])
    return parsed


def integrations(stack: Settings) -> dict[str, list[str]]:
    """Receiver -> the kinds of notifications that it sends."""
    return {
        receiver["name"]: [kind.removesuffix("_configs") for kind in receiver if kind != "name"]
        for receiver in configuration(stack)["receivers"]
    }


# Alertmanager: receivers


ALL = {
    "P1": ["pagerduty", "slack"],
    "P1-email": ["email"],
    "P2": ["slack"],
    "P2-email": ["email"],
    "P3": ["slack"],
    "heartbeat": ["webhook"],
    # No person's: see config/alertmanager/smoke.py.
    "smoke": ["webhook"],
}


def test_each_priority_has_its_channels() -> None:
    assert integrations(settings()) == ALL


def test_a_channel_that_is_not_configured_is_left_out_and_the_rest_stays() -> None:
    assert integrations(settings("pagerduty")) == {**ALL, "P1": ["slack"]}
    assert integrations(settings("slack")) == {**ALL, "P1": ["pagerduty"], "P2": [], "P3": []}
    assert integrations(settings("email")) == {**ALL, "P1-email": [], "P2-email": []}
    assert integrations(settings("critical")) == {**ALL, "P1-email": []}
    assert integrations(settings("high")) == {**ALL, "P2-email": []}
    assert integrations(settings("heartbeat")) == {**ALL, "heartbeat": []}
    assert integrations(settings(*CHANNELS)) == {**dict.fromkeys(ALL, []), "smoke": ["webhook"]}


def test_a_channel_that_is_left_out_is_warned_of_with_what_to_set() -> None:
    assert warnings(settings()) == []
    assert warnings(settings("pagerduty")) == ["no notifications to PagerDuty (P1): pagerdutyServiceKey is not set"]
    assert warnings(settings("slack")) == ["no notifications to Slack (P1, P2, P3): slackWebhookUrl is not set"]
    assert warnings(settings("email")) == ["no notifications to email (P1, P2): smtpHost is not set"]
    assert warnings(settings("critical")) == ["no notifications to email for P1: alertEmailCritical is not set"]
    assert warnings(settings("high")) == ["no notifications to email for P2: alertEmailHigh is not set"]
    assert warnings(settings("heartbeat")) == ["no notifications to the Watchdog's heartbeat: heartbeatUrl is not set"]
    assert len(warnings(settings(*CHANNELS))) == 4


@pytest.mark.parametrize("missing", [(), *((channel,) for channel in CHANNELS), tuple(CHANNELS)], ids="-".join)
def test_amtool_accepts_the_configuration_whatever_is_missing(missing: tuple[str, ...], tmp_path: Path) -> None:
    directory = written(alertmanager_files(settings(*missing)), tmp_path, DIRECTORY)
    said = run("amtool", "check-config", directory / "alertmanager.yml")
    assert "- 7 receivers" in said
    assert "- 9 inhibit rules" in said
    assert "- 1 templates" in said


def test_every_notification_says_when_the_trouble_is_over() -> None:
    for receiver in configuration(settings())["receivers"]:
        for kind, (config,) in ((kind, config) for kind, config in receiver.items() if kind != "name"):
            assert config["send_resolved"] is (receiver["name"] not in ("heartbeat", "smoke")), (receiver["name"], kind)


def test_mail_goes_through_the_server_that_is_configured() -> None:
    assert configuration(settings(smtpUsername="mailer", smtpPort="2525"))["global"] == {
        "resolve_timeout": "5m",
        "smtp_smarthost": "smtp.example:2525",
        "smtp_from": "monitoring@example.org",
        "smtp_auth_username": "mailer",
        "smtp_auth_password_file": "/run/config/smtp_password",
    }
    assert configuration(settings("email"))["global"] == {"resolve_timeout": "5m"}


# Alertmanager: secrets


def test_secrets_are_files_and_in_no_other_file() -> None:
    stack = settings()
    secrets = alertmanager_secrets(stack)
    assert {path: secret.get_secret_value() for path, secret in secrets.items()} == {
        "smtp_password": "smtp-s3cret",
        "slack_webhook_url": "https://hooks.slack.example/s3cret",
        "pagerduty_service_key": "pagerduty-s3cret",
        "heartbeat_url": "https://heartbeat.example/s3cret",
    }
    assert "s3cret" not in "".join(alertmanager_files(stack).values())


def test_every_file_that_the_configuration_names_is_there() -> None:
    for missing in [(), *((channel,) for channel in CHANNELS), tuple(CHANNELS)]:
        stack = settings(*missing)
        named = set(re.findall(r"/run/config/(\S+)", alertmanager_files(stack)["alertmanager.yml"]))
        assert named <= set(alertmanager_secrets(stack)), missing
    assert named == set()


# Alertmanager: routes


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an Alertmanager with every channel."""
    return written(alertmanager_files(settings()), tmp_path_factory.mktemp("alertmanager"), DIRECTORY)


def receiver(directory: Path, **labels: str) -> str:
    """The receiver that amtool sends an alert with these labels to."""
    words = [f"{label}={value}" for label, value in labels.items()]
    return run("amtool", "config", "routes", "test", f"--config.file={directory / 'alertmanager.yml'}", *words).strip()


@pytest.mark.parametrize("priority", ["P1", "P2", "P3"])
def test_every_priority_of_every_component_reaches_its_receiver(priority: str, complete: Path) -> None:
    for component in COMPONENTS:
        told = {priority, f"{priority}-email"} - {"P3-email"}
        found = receiver(complete, alertname="Any", priority=priority, component=component)
        assert set(found.split(",")) == told, component


def test_the_watchdog_goes_to_the_heartbeat_alone(complete: Path) -> None:
    assert receiver(complete, alertname="Watchdog", priority="none", component="monitoring") == "heartbeat"


def test_an_alert_without_a_priority_is_not_lost(complete: Path) -> None:
    assert receiver(complete, alertname="SomebodysOwn") == "P3"


def test_the_more_urgent_is_sent_sooner_and_more_often() -> None:
    routes = {route["receiver"]: route for route in configuration(settings())["route"]["routes"] if "routes" in route}
    for name in ("group_wait", "group_interval", "repeat_interval"):
        seconds = [_seconds(routes[priority][name]) for priority in ("P1", "P2", "P3")]
        assert seconds == sorted(set(seconds)), name


def test_the_components_with_a_route_of_their_own_are_grouped_by_what_is_in_trouble() -> None:
    for route in configuration(settings())["route"]["routes"]:
        if "routes" in route:
            own = {matcher: own["group_by"] for own in route["routes"] for matcher in own["matchers"]}
            assert own == {
                'component="database"': ["component", "instance"],
                'component="websocket"': ["component"],
                'component="api_gateway"': ["component"],
                'component="business"': ["component"],
            }


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


# Alertmanager: what is said


def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    """An alert as a template gets it."""
    return {
        "status": status,
        "labels": {"alertname": "PostgreSQLDown", "priority": "P1", "component": "database", "stack": "dev", **labels},
        "annotations": {
            "summary": "PostgreSQL does not answer.",
            "description": "The exporter has not reached PostgreSQL for 1 minute.",
            "runbook_url": "https://runbooks.example/PostgreSQLDown.md",
            "dashboard_url": "http://127.0.0.1:3000/d/database",
        },
        "startsAt": "2026-01-02T03:04:05.678Z",
        "endsAt": "2026-01-02T04:05:06.789Z" if status == "resolved" else "0001-01-01T00:00:00Z",
    }


def common(alerts: list[dict[str, Any]]) -> dict[str, str]:
    """The labels that all alerts share."""
    shared = set.intersection(*(set(alert["labels"].items()) for alert in alerts))
    return dict(sorted(shared))


def rendered(
    template: str, tmp_path: Path, *alerts: dict[str, Any], grouped_by: tuple[str, ...] = ("alertname",)
) -> str:
    """A template of ours for a group of alerts, by amtool."""
    shared = common(list(alerts))
    data = {
        "receiver": "P1",
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": {label: shared[label] for label in grouped_by},
        "commonLabels": shared,
        "externalURL": "http://alertmanager.example",
    }
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data))
    templates = written(alertmanager_files(settings()), tmp_path, DIRECTORY) / "templates/*.tmpl"
    return run(
        *("amtool", "template", "render", f"--template.glob={templates}"),
        *(f'--template.text={{{{ template "{template}" . }}}}', f"--template.data={path}"),
    )


def lines(text: str) -> list[str]:
    """The lines of a text, without links."""
    return [line for line in text.splitlines() if line and "http" not in line and not line.startswith("Silence")]


def test_the_text_says_what_where_how_bad_and_since_when_with_runbook_and_dashboard(tmp_path: Path) -> None:
    text = rendered("monitoring.text", tmp_path, alert(alertname="HighCPUUsage", instance="docker-host"))
    assert lines(text) == [
        "Firing:",
        "HighCPUUsage: The exporter has not reached PostgreSQL for 1 minute. (threshold 85%) · database, docker-host "
        "· since 2026-01-02 03:04:05 UTC",
    ]
    assert "\nRunbook: https://runbooks.example/PostgreSQLDown.md\n" in text
    assert "\nDashboard: http://127.0.0.1:3000/d/database?from=1767321245678&to=now&var-server=docker-host\n" in text


def test_the_text_of_what_is_over_says_until_when(tmp_path: Path) -> None:
    assert lines(rendered("monitoring.text", tmp_path, alert("resolved"))) == [
        "Resolved:",
        "PostgreSQLDown: The exporter has not reached PostgreSQL for 1 minute. · database "
        "· since 2026-01-02 03:04:05 until 2026-01-02 04:05:06 UTC",
    ]


def test_what_still_fires_is_told_before_what_is_over(tmp_path: Path) -> None:
    alerts = alert("resolved", alertname="PostgreSQLDeadlocks"), alert(alertname="PostgreSQLDown")
    text = rendered("monitoring.text", tmp_path, *alerts, grouped_by=("component",))
    assert [line.split(":")[0] for line in lines(text)] == [
        "Firing",
        "PostgreSQLDown",
        "Resolved",
        "PostgreSQLDeadlocks",
    ]


def test_the_text_has_no_holes_where_an_alert_says_little(tmp_path: Path) -> None:
    bare = {**alert(), "labels": {"alertname": "SomebodysOwn"}, "annotations": {}}
    assert lines(rendered("monitoring.text", tmp_path, bare)) == [
        "Firing:",
        "SomebodysOwn: no description · unknown component · since 2026-01-02 03:04:05 UTC",
    ]


def test_the_dashboard_of_a_message_has_the_variable_that_chooses_the_instance() -> None:
    """A link with a variable that the dashboard has not, or of another component, would show nothing."""
    template = (ROOT / "config/alertmanager/templates/monitoring.tmpl").read_text()
    variables = {
        uid: {variable["name"] for variable in json.loads(page)["templating"]["list"]}
        for uid, page in build(settings()).items()
    }
    assert "var-server" in template
    assert "server" in variables["database"] & variables["websocket"]
    assert "var-gateway" in template
    assert "gateway" in variables["api-gateway"]


def test_the_title_says_priority_state_name_and_place(tmp_path: Path) -> None:
    title = "monitoring.title"
    one = alert(instance="postgres:5432")
    assert rendered(title, tmp_path, one) == "[P1 firing: 1] PostgreSQLDown on postgres:5432 (dev)"
    over = alert("resolved", instance="postgres:5432")
    assert rendered(title, tmp_path, over) == "[P1 resolved] PostgreSQLDown on postgres:5432 (dev)"
    other = alert(alertname="PostgreSQLTooManyConnections", instance="postgres:5432")
    assert rendered(title, tmp_path, one, other, grouped_by=("component", "instance")) == (
        "[P1 firing: 2] database: 2 alerts on postgres:5432 (dev)"
    )
    bare = {**alert(), "labels": {"alertname": "SomebodysOwn"}}
    assert rendered(title, tmp_path, bare) == "[no priority firing: 1] SomebodysOwn"


# Loki


def loki(stack: Settings) -> dict[str, Any]:
    """Loki's configuration of a stack."""
    parsed: dict[str, Any] = yaml.safe_load(loki_files(stack)["loki.yaml"])
    return parsed


def test_loki_accepts_its_configuration(tmp_path: Path) -> None:
    for retention in ("30d", "2w"):
        directory = written(loki_files(settings(lokiRetention=retention)), tmp_path, "/etc/loki")
        run("loki", "-verify-config", f"-config.file={directory / 'loki.yaml'}")


def test_loki_keeps_lines_as_long_as_configured_and_really_deletes_them() -> None:
    for retention, hours in (("30d", "720h"), ("2w", "336h"), ("1d", "24h")):
        configured = loki(settings(lokiRetention=retention))
        assert configured["limits_config"]["retention_period"] == hours
        assert configured["limits_config"]["max_query_lookback"] == hours
        assert configured["compactor"]["retention_enabled"] is True
        assert configured["compactor"]["delete_request_store"]


def test_loki_has_the_schema_the_caches_and_the_ruler_that_were_asked_for() -> None:
    configured = loki(settings())
    (schema,) = configured["schema_config"]["configs"]
    assert (schema["store"], schema["schema"]) == ("tsdb", "v13")
    chunks = configured["chunk_store_config"]["chunk_cache_config"]["embedded_cache"]
    assert (chunks["enabled"], chunks["max_size_mb"]) == (True, 1024)
    assert configured["query_range"]["cache_results"] is True
    assert configured["ruler"]["alertmanager_url"] == "http://alertmanager:9093"
    assert configured["ingester"]["wal"]["enabled"] is True


def test_loki_keeps_streams_as_long_as_configured_and_takes_the_first_that_matches() -> None:
    streams = {'{level="debug"}': "1d", '{service="nginx",level="info"}': "2w"}
    configured = loki(settings(lokiRetentionByStream=json.dumps(streams)))["limits_config"]["retention_stream"]
    assert [(stream["selector"], stream["period"]) for stream in configured] == [
        ('{level="debug"}', "24h"),
        ('{service="nginx",level="info"}', "336h"),
    ]
    assert configured[0]["priority"] > configured[1]["priority"]


def test_loki_is_protected() -> None:
    limits = loki(settings())["limits_config"]
    protecting = ("ingestion_rate_mb", "per_stream_rate_limit", "max_global_streams_per_user", "max_line_size")
    assert all(limits[name] for name in (*protecting, "query_timeout", "max_query_length", "max_query_series"))


def test_the_rules_have_the_stacks_own_thresholds() -> None:
    files = rule_files(settings(thresholds='{"log_errors:count": 12345}'))
    assert "> 12345" in files["fake/monitoring.yml"]
    assert "threshold:" not in "".join(files.values())


# The log agent


AGENTS = [pytest.param("alloy", id="alloy"), pytest.param("promtail", id="promtail", marks=pytest.mark.promtail)]


@pytest.mark.parametrize("demo", [True, False])
@pytest.mark.parametrize("agent", AGENTS)
def test_the_agent_accepts_its_configuration(
    agent: str, demo: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if agent == "alloy":
        run("alloy", "validate", written(alloy_files(stack_of(demo)), tmp_path, "/etc/alloy") / "config.alloy")
    else:
        request.getfixturevalue("promtail")
        directory = written(promtail_files(stack_of(demo)), tmp_path, "/etc/promtail")
        assert "Valid config file" in run("promtail", "-check-syntax", f"-config.file={directory / 'promtail.yaml'}")


def test_alloys_configuration_is_written_as_its_own_formatter_would(tmp_path: Path) -> None:
    directory = written(alloy_files(stack_of(True)), tmp_path, "/etc/alloy")
    assert run("alloy", "fmt", directory / "config.alloy").strip() == (directory / "config.alloy").read_text().strip()


def stack_of(demo: bool, **changes: str) -> Settings:
    """A stack with the demo backend or one that watches an existing backend."""
    here = {"demo": "false", "postgresHost": "db.example", "redisHost": "cache.example", "noReceivers": "true"}
    return settings(**({} if demo else here), **changes)


def test_a_demo_ships_its_own_containers_lines_and_another_stack_all() -> None:
    for demo, kept in ((True, ["dev"]), (False, [])):
        configured = yaml.safe_load(promtail_files(stack_of(demo))["promtail.yaml"])
        containers = configured["scrape_configs"][0]
        keep = [rule for rule in containers["relabel_configs"] if rule.get("action") == "keep"]
        assert [rule["regex"] for rule in keep] == kept
        assert configured["clients"][0]["external_labels"] == {"stack": "dev"}
        alloy = alloy_files(stack_of(demo))["config.alloy"]
        assert ('action        = "keep"' in alloy) == demo
        assert 'external_labels = {\n\t\t"stack" = "dev",' in alloy


def test_containers_of_others_are_found_by_the_names_that_a_stack_says() -> None:
    alloy = alloy_files(stack_of(False, logContainers='{"postgres": "our-db-[0-9]+"}'))["config.alloy"]
    assert '"(?:our-db-[0-9]+);.+"' in alloy
    assert "supabase[-_]db" not in alloy


def test_the_journal_is_read_where_there_is_one() -> None:
    journal = stack_of(False, hostJournal="/var/log/journal")
    alloy = alloy_files(journal)["config.alloy"]
    assert 'loki.source.journal "journal"' in alloy
    assert 'path   = "/var/log/journal"' in alloy
    jobs = yaml.safe_load(promtail_files(journal)["promtail.yaml"])["scrape_configs"]
    assert [job["journal"]["path"] for job in jobs if "journal" in job] == ["/var/log/journal"]
    assert "journal" not in alloy_files(stack_of(False))["config.alloy"]


def test_no_file_has_a_placeholder_left() -> None:
    for demo in (True, False):
        for text in loki_files(stack_of(demo)).values():
            assert not re.search(r"\$[a-z_]+|\$\{", re.sub(r"#.*", "", text))
