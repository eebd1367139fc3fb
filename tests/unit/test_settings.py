"""Settings: where a value comes from, what each stack's defaults are, and what is said about a wrong one."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.errors import SettingsError
from config.keys import Keys, environment_variables, secret_keys
from config.ports import Ports
from config.settings import Settings, load
from images.catalogue import image_keys

# Every secret, with a value that is found wherever it leaks to.
SECRETS = {
    "grafanaAdminPassword": "grafana-s3cret",
    "grafanaToken": "token-s3cret",
    "postgresPassword": "postgres-s3cret",
    "redisPassword": "redis-s3cret",
    "realtimeMetricsSecret": "realtime-s3cret-of-at-least-32-bytes",
    "smtpPassword": "smtp-s3cret",
    "slackWebhookUrl": "https://hooks.slack.example/s3cret",
    "pagerdutyServiceKey": "pagerduty-s3cret",
    "heartbeatUrl": "https://heartbeat.example/s3cret",
    "receiverSecrets": '{"team": "https://team.example/s3cret"}',
}
DEMO = {"demo": "true", **SECRETS}
EXISTING = {"postgresHost": "db.example", "redisHost": "cache.example", "noReceivers": "true", **SECRETS}
NEITHER_GRAFANA_NOR_RECEIVERS = {"grafanaMode": "none", "noReceivers": "true"}


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    """Where a `.env` file may be written; there is none until then."""
    return tmp_path / ".env"


def settings(
    values: Mapping[str, str],
    stack: str = "dev",
    environment: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
) -> Settings:
    """The settings of a stack with nothing from this machine's own environment."""
    no_file = Path("/nonexistent/.env")
    return load(stack, values, environment=environment or {}, dotenv=dotenv or no_file, images=image_keys())


def problems(
    values: Mapping[str, str],
    stack: str = "dev",
    environment: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
) -> list[str]:
    """The lines of the error that these settings are refused with."""
    with pytest.raises(SettingsError) as caught:
        settings(values, stack, environment, dotenv)
    return str(caught.value).splitlines()


def problem(values: Mapping[str, str], stack: str = "dev") -> str:
    """The one line of the error that these settings are refused with."""
    lines = problems(values, stack)
    assert len(lines) == 1, lines
    return lines[0]


# Where a value comes from


def test_configuration_comes_before_the_environment_and_the_environment_before_dotenv(dotenv: Path) -> None:
    dotenv.write_text("SMTP_HOST=from-dotenv\nSMTP_PORT=1111\nSMTP_FROM=dotenv@example.org\n")
    found = settings(
        {**DEMO, "smtpHost": "from-configuration"},
        environment={"SMTP_HOST": "from-environment", "SMTP_PORT": "2222"},
        dotenv=dotenv,
    ).alerting
    assert found.smtp_host == "from-configuration"
    assert found.smtp_port == 2222
    assert found.smtp_from == "dotenv@example.org"


def test_an_empty_value_counts_as_absent(dotenv: Path) -> None:
    dotenv.write_text("SMTP_HOST=from-dotenv\nSMTP_FROM=monitoring@example.org\n")
    found = settings({**DEMO, "smtpHost": ""}, environment={"SMTP_HOST": ""}, dotenv=dotenv)
    assert found.alerting.smtp_host == "from-dotenv"


def test_dotenv_is_not_interpolated(dotenv: Path) -> None:
    dotenv.write_text("POSTGRES_PASSWORD='a$HOME-b'\n")
    values = {key: value for key, value in DEMO.items() if key != "postgresPassword"}
    password = settings(values, dotenv=dotenv).backend.postgres_password
    assert password
    assert password.get_secret_value() == "a$HOME-b"


def test_the_environment_variables_are_those_that_were_promised() -> None:
    promised = """SMTP_HOST SMTP_PORT SMTP_FROM SMTP_USERNAME SMTP_PASSWORD SLACK_WEBHOOK_URL PAGERDUTY_SERVICE_KEY
        ALERT_EMAIL_CRITICAL ALERT_EMAIL_HIGH GRAFANA_ADMIN_USER GRAFANA_ADMIN_PASSWORD POSTGRES_USER POSTGRES_PASSWORD
        POSTGRES_HOST POSTGRES_PORT POSTGRES_DB REDIS_HOST REDIS_PORT REDIS_PASSWORD"""
    assert set(environment_variables().values()) == set(promised.split())


def test_every_environment_variable_reaches_its_setting() -> None:
    environment = {
        "SMTP_HOST": "smtp.example",
        "SMTP_PORT": "2525",
        "SMTP_FROM": "from@example.org",
        "SMTP_USERNAME": "mailer",
        "SMTP_PASSWORD": "smtp-password",
        "SLACK_WEBHOOK_URL": "https://slack.example/hook",
        "PAGERDUTY_SERVICE_KEY": "pagerduty-key",
        "ALERT_EMAIL_CRITICAL": "critical@example.org",
        "ALERT_EMAIL_HIGH": "high@example.org",
        "GRAFANA_ADMIN_USER": "boss",
        "GRAFANA_ADMIN_PASSWORD": "grafana-password",
        "POSTGRES_USER": "watcher",
        "POSTGRES_PASSWORD": "postgres-password",
        "POSTGRES_HOST": "db.example",
        "POSTGRES_PORT": "6432",
        "POSTGRES_DB": "defi",
        "REDIS_HOST": "cache.example",
        "REDIS_PORT": "6380",
        "REDIS_PASSWORD": "redis-password",
    }
    found = settings({}, "prod", environment)
    alerting, backend, grafana = found.alerting, found.backend, found.grafana
    assert backend.redis
    secrets = (
        alerting.smtp_password,
        alerting.slack_webhook_url,
        alerting.pagerduty_service_key,
        grafana.admin_password,
        backend.postgres_password,
        backend.redis.password,
    )
    assert [secret.get_secret_value() if secret else None for secret in secrets] == [
        "smtp-password",
        "https://slack.example/hook",
        "pagerduty-key",
        "grafana-password",
        "postgres-password",
        "redis-password",
    ]
    assert (alerting.smtp_host, alerting.smtp_port, alerting.smtp_from) == ("smtp.example", 2525, "from@example.org")
    assert alerting.smtp_username == "mailer"
    assert (alerting.email_critical, alerting.email_high) == ("critical@example.org", "high@example.org")
    assert grafana.admin_user == "boss"
    assert (backend.postgres_user, backend.postgres_db) == ("watcher", "defi")
    assert (backend.postgres[0].host, backend.postgres[0].port) == ("db.example", 6432)
    assert (backend.redis.host, backend.redis.port) == ("cache.example", 6380)


# Defaults of the kinds of stacks


def test_dev_has_the_services_own_ports_on_the_loopback_address() -> None:
    found = settings(DEMO)
    assert found.bind_address == "127.0.0.1"
    assert found.ports == Ports(prometheus=9090, alertmanager=9093, grafana=3000, loki=3100)
    assert found.prometheus.url == "http://127.0.0.1:9090"
    assert found.grafana.url == "http://127.0.0.1:3000"


def test_a_pull_request_has_ports_of_its_own() -> None:
    assert settings(DEMO, "pr-7").ports == Ports(prometheus=20070, alertmanager=20071, grafana=20072, loki=20073)
    assert settings(DEMO, "pr-7").prometheus.url == "http://127.0.0.1:20070"


def test_no_two_of_4500_successive_pull_requests_share_a_port() -> None:
    numbers = (1, 2, 3, 3276, 4498, 4499, 4500)
    ports = [port for number in numbers for port in vars(settings(DEMO, f"pr-{number}").ports).values()]
    assert len(set(ports)) == 4 * len(numbers)
    assert 1024 < min(ports) <= max(ports) <= 65535


def test_a_configured_port_is_taken_in_every_stack() -> None:
    assert settings({**DEMO, "lokiPort": "3200"}, "pr-7").ports.loki == 3200


def test_an_address_for_everything_is_reached_on_the_loopback_one() -> None:
    assert settings({**DEMO, "bindAddress": "0.0.0.0"}).prometheus.url == "http://127.0.0.1:9090"
    assert settings({**DEMO, "bindAddress": "10.1.2.3"}).loki_url == "http://10.1.2.3:3100"
    assert settings({**DEMO, "bindAddress": "::1"}).alertmanager_url == "http://[::1]:9093"
    assert settings({**DEMO, "bindAddress": "::"}).alertmanager_url == "http://[::1]:9093"


def test_the_demo_backend_is_at_the_addresses_of_its_containers() -> None:
    backend = settings({**DEMO, "postgresHost": "ignored.example"}).backend
    assert [(server.host, server.role, server.exporter) for server in backend.postgres] == [
        ("postgres", "primary", "postgres-exporter"),
        ("postgres-replica", "replica", "postgres-replica-exporter"),
    ]
    assert backend.redis
    assert (backend.redis.host, backend.redis.port) == ("redis", 6379)
    assert backend.kong == ("kong:8100",)
    assert backend.realtime == ("realtime:4000",)
    assert backend.websocket == ("websocket:8081",)
    assert backend.application == ("app:8082",)


def test_an_existing_backend_is_where_the_configuration_says() -> None:
    backend = settings(
        {
            **EXISTING,
            "postgresReplicas": '["replica-a:5432", "replica-b:5433"]',
            "kongAddresses": '["kong-1:8100", "kong-2:8100"]',
        },
        "prod",
    ).backend
    assert [(server.host, server.port, server.role, server.exporter) for server in backend.postgres] == [
        ("db.example", 5432, "primary", "postgres-exporter"),
        ("replica-a", 5432, "replica", "postgres-replica-1-exporter"),
        ("replica-b", 5433, "replica", "postgres-replica-2-exporter"),
    ]
    assert backend.kong == ("kong-1:8100", "kong-2:8100")
    assert backend.realtime == ()


def test_a_demo_watches_its_own_containers_and_another_stack_all() -> None:
    assert settings(DEMO, "pr-7").cadvisor.containers == "monitoring-pr-7-.+"
    assert settings(EXISTING, "prod").cadvisor.containers == ".+"
    assert settings({**DEMO, "containerFilter": "mine-.+"}).cadvisor.containers == "mine-.+"


def test_thresholds_and_memory_are_defaults_with_the_stacks_own_over_them() -> None:
    plain = settings(DEMO)
    changed = settings({**DEMO, "thresholds": '{"cpu_usage:ratio": 0.5}', "memory": '{"loki": 900}'})
    assert changed.thresholds["cpu_usage:ratio"] == 0.5
    assert {**changed.thresholds, "cpu_usage:ratio": 0} == {**plain.thresholds, "cpu_usage:ratio": 0}
    assert changed.memory["loki"] == 900
    assert {**changed.memory, "loki": 0} == {**plain.memory, "loki": 0}


def test_addresses_lose_the_slash_at_their_end() -> None:
    found = settings({**DEMO, "grafanaUrl": "https://grafana.example/", "runbookBaseUrl": "https://wiki.example/run/"})
    assert found.grafana.url == "https://grafana.example"
    assert found.runbook_base_url == "https://wiki.example/run"


# What is said about a wrong one: its key, its value, where it comes from, and the way out


@pytest.mark.parametrize(
    ("missing", "reason", "variable"),
    [
        ("postgresPassword", "the demo backend needs it", "POSTGRES_PASSWORD"),
        ("redisPassword", "the demo backend needs it", "REDIS_PASSWORD"),
        ("realtimeMetricsSecret", "the demo backend needs it", ""),
        ("grafanaAdminPassword", "Grafana runs as a container", "GRAFANA_ADMIN_PASSWORD"),
    ],
)
def test_a_missing_secret_of_the_demo_is_named(missing: str, reason: str, variable: str) -> None:
    assert problem({key: value for key, value in DEMO.items() if key != missing}) == (
        f"monitoring:{missing} is missing ({reason}); set it with: pulumi config set --secret monitoring:{missing}"
        + (f", or set {variable} in the environment or .env" if variable else "")
    )


def test_without_a_demo_the_backends_addresses_are_needed() -> None:
    assert problems(NEITHER_GRAFANA_NOR_RECEIVERS, "prod") == [
        "monitoring:postgresHost is missing (demo is off); set it with: "
        "pulumi config set monitoring:postgresHost VALUE, or set POSTGRES_HOST in the environment or .env",
        "monitoring:redisHost is missing (demo is off); set it with: "
        "pulumi config set monitoring:redisHost VALUE, or set REDIS_HOST in the environment or .env",
    ]


def test_a_backends_credentials_are_needed_where_it_is_watched() -> None:
    watched = {"postgresHost": "db", "redisHost": "cache", "realtimeAddresses": '["realtime:4000"]'}
    assert problems({**NEITHER_GRAFANA_NOR_RECEIVERS, **watched}, "prod") == [
        "monitoring:postgresPassword is missing (postgresHost is set); set it with: "
        "pulumi config set --secret monitoring:postgresPassword, or set POSTGRES_PASSWORD in the environment or .env",
        "monitoring:realtimeMetricsSecret is missing (realtimeAddresses is set); set it with: "
        "pulumi config set --secret monitoring:realtimeMetricsSecret",
    ]


def test_an_external_grafana_needs_address_and_token() -> None:
    values = {key: value for key, value in DEMO.items() if not key.startswith("grafana")}
    assert problems({**values, "grafanaMode": "external"}) == [
        "monitoring:grafanaUrl is missing (grafanaMode is external); set it with: "
        "pulumi config set monitoring:grafanaUrl VALUE",
        "monitoring:grafanaToken is missing (grafanaMode is external); set it with: "
        "pulumi config set --secret monitoring:grafanaToken",
    ]
    settings({**values, "grafanaMode": "none"})


def test_a_mail_server_needs_a_sender_and_a_login_its_password() -> None:
    values = {key: value for key, value in DEMO.items() if key != "smtpPassword"}
    assert problems({**values, "smtpHost": "smtp.example", "smtpUsername": "mailer"}) == [
        "monitoring:smtpFrom is missing (smtpHost is set); set it with: "
        "pulumi config set monitoring:smtpFrom VALUE, or set SMTP_FROM in the environment or .env",
        "monitoring:smtpPassword is missing (smtpUsername is set); set it with: "
        "pulumi config set --secret monitoring:smtpPassword, or set SMTP_PASSWORD in the environment or .env",
    ]


@pytest.mark.parametrize("key", ["prometheusPort", "alertmanagerPort", "grafanaPort", "lokiPort", "smtpPort"])
@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_out_of_range_is_refused(key: str, port: str) -> None:
    line = problem({**DEMO, key: port})
    assert line.startswith(f"monitoring:{key} is '{port}' (from Pulumi configuration): input should be ")
    assert line.endswith(f"change it with: pulumi config set monitoring:{key} VALUE")


def test_ports_that_clash_are_refused_with_all_four() -> None:
    line = problem({**DEMO, "lokiPort": "9090"})
    assert line.startswith("ports clash: monitoring:prometheusPort is 9090, ")
    assert "monitoring:lokiPort is 9090" in line


def test_a_wrong_port_is_not_said_to_clash() -> None:
    assert problem({**DEMO, "prometheusPort": "99999", "lokiPort": "9090"}).startswith("monitoring:prometheusPort is")


def test_an_unknown_key_is_named_with_the_one_that_was_meant() -> None:
    line = problem({**DEMO, "scrapeIntervall": "10s"})
    assert line == (
        "monitoring:scrapeIntervall is not a key that this project knows; did you mean scrapeInterval? "
        "Pulumi.yaml lists all; remove it with: pulumi config rm monitoring:scrapeIntervall"
    )
    assert "did you mean smtpHost" in problem({**DEMO, "SMTP_HOST": "smtp.example"})
    assert "did you mean" not in problem({**DEMO, "xyz": "1"})


def test_an_unknown_image_is_named_with_the_one_that_was_meant() -> None:
    line = problem({**DEMO, "imageOverrides": '{"prometeus": "docker.io/prom/prometheus:v3.5.1"}'})
    assert line.startswith("monitoring:imageOverrides.prometeus is not a key")
    assert "did you mean prometheus? config/images.yaml lists all" in line
    assert line.endswith("pulumi config rm --path monitoring:imageOverrides.prometeus")


def test_an_unknown_threshold_is_named_with_the_one_that_was_meant() -> None:
    line = problem({**DEMO, "thresholds": '{"cpu_usage": 0.5}'})
    assert line.startswith("monitoring:thresholds.cpu_usage is not a key")
    assert "did you mean cpu_usage:ratio" in line
    assert "config/prometheus/thresholds.yaml lists all" in line


def test_a_memory_limit_of_an_unknown_service_is_named() -> None:
    line = problem({**DEMO, "memory": '{"postgresql": 100}'})
    assert "monitoring:memory.postgresql is not a key" in line
    assert "the services are prometheus, " in line


@pytest.mark.parametrize("key", ["scrapeInterval", "evaluationInterval", "prometheusRetention"])
@pytest.mark.parametrize("duration", ["10", "10 s", "ten seconds", "1.5h", "1m1h", "0s", "-1m", "s"])
def test_a_malformed_duration_is_refused(key: str, duration: str) -> None:
    line = problem({**DEMO, key: duration})
    assert line.startswith(f"monitoring:{key} is '{duration}' (from Pulumi configuration): must be a duration such as ")


@pytest.mark.parametrize("duration", ["1m", "1s500ms", "10s"])
def test_an_interval_as_prometheus_writes_it_is_taken(duration: str) -> None:
    assert settings({**DEMO, "scrapeInterval": duration}).prometheus.scrape_interval == duration


@pytest.mark.parametrize("duration", ["2h30m", "1d12h", "4w", "10y"])
def test_a_duration_as_prometheus_writes_it_is_taken(duration: str) -> None:
    assert settings({**DEMO, "prometheusRetention": duration}).prometheus.retention == duration


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        # What is in Docker or a container would fail late, or silently.
        ("dockerHost", "user@host", "must be an address such as ssh://user@host"),
        ("dockerHost", "ftp://host", "must be an address such as ssh://user@host"),
        ("dockerHost", "tcp://host:99999", "has a port or an address that is none"),
        ("dockerHost", "ssh://user:word@host", "must not have a password in it"),
        ("dockerHost", "unix://var/run/docker.sock", "must be an address such as"),
        ("dockerNetwork", "my network", "must be the name of a Docker network"),
        ("dockerNetwork", "-net", "must be the name of a Docker network"),
        ("imageMirror", "https://mirror.example/hub", "must be a registry and, maybe, a path, without a scheme"),
        ("imageMirror", "hub", "must be a registry"),
        ("imageMirror", "mirror.example/Hub Path", "must be a registry"),
        ("imageBundle", "/nonexistent/images.bundle", "must be the path of a file that exists"),
        ("imageOverrides", '{"redis": "redis:7\\n"}', "ends with a line break"),
        ("imagePullTimeout", "100000", "input should be less than or equal to 86400"),
        ("memory", '{"loki": 99999999}', "input should be less than or equal to 1048576"),
        ("scrapeInterval", "1y", "must be between 1s and 1m: rules look at windows of five minutes"),
        ("scrapeInterval", "1ms", "must be between 1s and 1m"),
        ("evaluationInterval", "2m", "must be between 1s and 1m"),
        ("prometheusRetention", "1s", "must be between 2h and 10y"),
        ("prometheusRetention", "999y", "must be between 2h and 10y"),
        ("lokiRetention", "9999w", "must be at most 3650d"),
        ("containerFilter", "(?!x).*", "must be a regular expression of Prometheus (RE2)"),
        ("containerFilter", r"(a)\1", "must be a regular expression of Prometheus (RE2)"),
        ("grafanaUrl", "http://grafana.example:99999", "has a port or an address that is none"),
        ("grafanaUrl", "http://grafana.example:0", "a port between 1 and 65535"),
        ("grafanaUrl", "http://boss:word@grafana.example", "must not have a user or password in it"),
        ("grafanaUrl", "http://bad host/", "must be an address that starts with"),
        ("grafanaAdminUser", "a:b", "must be a user's name, without ':'"),
        ("postgresHost", "db:5432", "must be the name or address of a host alone"),
        ("postgresHost", "http://db", "must be the name or address of a host alone"),
        ("postgresHost", "db internal", "must be the name or address of a host alone"),
        ("redisHost", "redis://cache", "must be the name or address of a host alone"),
        ("smtpHost", "smtp.example\n", "must be the name or address of a host alone"),
        ("postgresDb", "defi?sslmode=disable", "must be the name of a database"),
        ("postgresUser", "x" * 64, "must have 1 to 63 bytes"),
        ("postgresReplicas", '["replica:99999"]', "must be host:port"),
        ("kongAddresses", '["-kong:8100"]', "must be host:port"),
        ("smtpUsername", "mailer\u0007", "contains the character '\\x07'"),
        ("grafanaAdminPassword", "hidden\n", "ends with a line break, as a pasted value often does"),
        ("postgresPassword", "hidden\thidden", "contains the character '\\t'"),
        ("grafanaToken", "hidden\r\n", "ends with a line break"),
        ("slackWebhookUrl", "https://hooks.slack.example:99999/x", "has a port or an address that is none"),
    ],
)
def test_what_would_fail_late_is_refused_with_one_message(key: str, value: str, complaint: str) -> None:
    line = problem({**DEMO, key: value})
    assert line.startswith(f"monitoring:{key}")
    assert complaint in line
    assert "change it with: pulumi config set" in line
    assert "hidden" not in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dockerHost", "ssh://user@host:2222"),
        ("dockerHost", "unix:///run/user/1000/docker.sock"),
        ("dockerNetwork", "supabase_default"),
        ("imageMirror", "mirror.example:5000/hub"),
        ("imageMirror", "localhost/hub/"),
        ("postgresHost", "supabase_db_defi"),
        ("postgresHost", "[fd00::5]"),
        ("postgresReplicas", '["[fd00::6]:5432"]'),
        ("redisHost", "10.0.0.7"),
        ("containerFilter", "(?:supabase|realtime)-.+"),
        ("grafanaAdminPassword", " spaces and: signs? are & right "),
        ("heartbeatUrl", "https://user:word@hc.example/ping"),
    ],
)
def test_what_is_unusual_and_right_is_taken(key: str, value: str) -> None:
    settings({**DEMO, key: value})


def test_a_long_value_is_shortened_in_the_message() -> None:
    for key, value in {"postgresHost": "x" * 100_000, "kongAddresses": "x" * 100_000, "x" * 100_000: "1"}.items():
        line = problem({**DEMO, key: value})
        assert len(line) < 600
        assert "100,000 characters" in line


@pytest.mark.parametrize("days", ["30", "720h", "1w2d", "0d", "1y"])
def test_lokis_retention_must_be_whole_days(days: str) -> None:
    line = problem({**DEMO, "lokiRetention": days})
    assert line.startswith(f"monitoring:lokiRetention is '{days}' (from Pulumi configuration): must be whole days")


@pytest.mark.parametrize("stack", ["Dev", "my stack", "-dev", "dev/1", "ä", "x" * 41, "", "dev.1"])
def test_a_stack_name_that_cannot_become_a_container_name_is_refused(stack: str) -> None:
    line = problem(DEMO, stack)
    assert line.startswith(f"stack name {stack!r} cannot become part of a container name: use at most 40 of a-z")


@pytest.mark.parametrize("stack", ["dev", "prod", "pr-12", "staging_2", "x" * 40])
def test_a_stack_name_that_can_become_a_container_name_is_taken(stack: str) -> None:
    assert settings(DEMO, stack).name("loki") == f"monitoring-{stack}-loki"


@pytest.mark.parametrize(
    "address", ["kong", "kong:", "kong:0", "kong:65536", "http://kong:8100", "kong:8100/metrics", ":80"]
)
def test_a_malformed_address_is_refused_with_its_place_in_the_list(address: str) -> None:
    line = problem({**EXISTING, "kongAddresses": json.dumps(["kong:8100", address])})
    assert line == (
        f"monitoring:kongAddresses[1] is {address!r} (from Pulumi configuration): must be host:port, such as "
        "kong:8100; change it with: pulumi config set --path 'monitoring:kongAddresses[1]' VALUE"
    )


@pytest.mark.parametrize("address", ["localhost", "127.0.0", "10.0.0.1/8", "everywhere"])
def test_an_address_to_publish_on_must_be_an_ip_address(address: str) -> None:
    assert f"monitoring:bindAddress is '{address}' (from Pulumi configuration): must be an IP address" in problem(
        {**DEMO, "bindAddress": address}
    )


@pytest.mark.parametrize("email", ["nobody", "a@b@c", "a b@example.org", "@example.org", "a@x.org,b@x.org"])
def test_a_malformed_email_address_is_refused(email: str) -> None:
    for key in ("alertEmailCritical", "alertEmailHigh", "smtpFrom"):
        assert f"monitoring:{key} is '{email}' (from Pulumi configuration): must be an email address" in problem(
            {**DEMO, key: email}
        )


@pytest.mark.parametrize("url", ["grafana.example", "ftp://grafana.example", "https://", "http://graf ana.example"])
def test_a_malformed_address_of_a_web_page_is_refused(url: str) -> None:
    for key in ("grafanaUrl", "runbookBaseUrl"):
        assert (
            f"monitoring:{key} is '{url}' (from Pulumi configuration): must be an address that starts with"
            in problem({**DEMO, key: url})
        )


def test_what_must_be_json_is_refused_when_it_is_not() -> None:
    assert "monitoring:thresholds is '{cpu: 1}' (from Pulumi configuration): must be a JSON object" in problem(
        {**DEMO, "thresholds": "{cpu: 1}"}
    )
    assert "monitoring:memory is '[]' (from Pulumi configuration): must be a JSON object" in problem(
        {**DEMO, "memory": "[]"}
    )
    assert "monitoring:kongAddresses is 'kong:8100' (from Pulumi configuration): must be a JSON list" in problem(
        {**DEMO, "kongAddresses": "kong:8100"}
    )


def test_a_wrong_value_inside_an_object_is_named_with_its_path() -> None:
    assert problem({**DEMO, "thresholds": '{"cpu_usage:ratio": "much"}'}).startswith(
        "monitoring:thresholds.cpu_usage:ratio is 'much' (from Pulumi configuration): input should be a valid number"
    )
    assert problem({**DEMO, "thresholds": '{"cpu_usage:ratio": NaN}'}).startswith(
        "monitoring:thresholds.cpu_usage:ratio"
    )
    assert problem({**DEMO, "memory": '{"loki": 5}'}).startswith(
        "monitoring:memory.loki is 5 (from Pulumi configuration): input should be greater than or equal to 6"
    )


def test_a_malformed_regular_expression_is_refused() -> None:
    assert "monitoring:containerFilter is 'a(' (from Pulumi configuration): must be a regular expression: " in problem(
        {**DEMO, "containerFilter": "a("}
    )


def test_a_choice_that_does_not_exist_is_refused_with_those_that_do() -> None:
    assert "'promtail' or 'alloy'" in problem({**DEMO, "logAgent": "fluentd"})
    assert "'container', 'external' or 'none'" in problem({**DEMO, "grafanaMode": "docker"})
    assert "'auto', 'registry', 'bundle' or 'lab'" in problem({**DEMO, "imageSource": "hub"})
    assert "input should be a valid boolean" in problem({**DEMO, "demo": "maybe"})
    assert "greater than or equal to 1" in problem({**DEMO, "imagePullTimeout": "0"})


def test_a_wrong_value_from_the_environment_names_the_variable(dotenv: Path) -> None:
    lines = problems(DEMO, environment={"SMTP_PORT": "mail"})
    assert lines == [
        "monitoring:smtpPort is 'mail' (from environment variable SMTP_PORT): input should be a valid integer, "
        "unable to parse string as an integer; change it there, or set monitoring:smtpPort in the Pulumi configuration"
    ]
    dotenv.write_text("SMTP_FROM=nobody\n")
    assert "monitoring:smtpFrom is 'nobody' (from SMTP_FROM in .env)" in problems(DEMO, dotenv=dotenv)[0]


def test_all_that_is_wrong_is_said_at_once() -> None:
    lines = problems(
        {
            "demo": "true",
            "scrapeIntervall": "10s",
            "scrapeInterval": "often",
            "lokiPort": "9090",
            "thresholds": '{"nothing": 1}',
            "memory": "{",
            "redisPassword": "given",
            "realtimeMetricsSecret": "given",
        }
    )
    assert [line.split(" is ")[0].split(" are ")[0].split(":")[-1] for line in lines] == [
        "scrapeIntervall",
        "memory",
        "scrapeInterval",
        # And, before it in the same line, grafanaAdminPassword: one command makes both.
        "postgresPassword",
        "thresholds.nothing",
        "prometheusPort",
    ]


def test_a_wrong_choice_of_the_backend_is_not_followed_by_what_it_would_need() -> None:
    assert problem({"demo": "maybe"}).startswith("monitoring:demo is 'maybe'")
    values = {key: value for key, value in DEMO.items() if key != "grafanaAdminPassword"}
    assert problem({**values, "grafanaMode": "docker"}).startswith("monitoring:grafanaMode is 'docker'")


# Secrets


def test_every_password_token_and_key_is_a_secret() -> None:
    assert secret_keys() == set(SECRETS)


def test_a_secret_in_clear_is_refused_without_its_value() -> None:
    with pytest.raises(SettingsError) as caught:
        load("dev", DEMO, encrypted=set(SECRETS) - {"redisPassword"}, environment={}, dotenv=Path("/nonexistent"))
    assert str(caught.value) == (
        "monitoring:redisPassword is a secret stored in clear in the stack's file; "
        "store it with: pulumi config set --secret monitoring:redisPassword"
    )
    load("dev", DEMO, encrypted=set(SECRETS), environment={}, dotenv=Path("/nonexistent"))


def test_a_secret_from_the_environment_is_not_taken_for_one_in_clear() -> None:
    values = {key: value for key, value in DEMO.items() if key != "redisPassword"}
    found = load("dev", values, encrypted=set(SECRETS), environment={"REDIS_PASSWORD": "given"})
    assert found.backend.redis
    assert found.backend.redis.password


@pytest.mark.parametrize("key", ["slackWebhookUrl", "heartbeatUrl"])
def test_a_malformed_secret_is_refused_without_its_value(key: str) -> None:
    line = problem({**DEMO, key: "hooks.example/T0P-S3CRET"})
    assert line.startswith(
        f"monitoring:{key} is (a secret) (from Pulumi configuration): must be an address that starts"
    )
    assert line.endswith(f"pulumi config set --secret monitoring:{key} VALUE")
    assert "S3CRET" not in line


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    text = repr(settings({**DEMO, "smtpHost": "smtp.example", "smtpFrom": "a@example.org"}))
    assert "smtp.example" in text
    assert [value for value in SECRETS.values() if value in text] == []
    keys = repr(Keys.model_validate({**SECRETS, "receiverSecrets": {"team": "team-s3cret"}}))
    assert [value for value in [*SECRETS.values(), "team-s3cret"] if value in keys] == []


def test_one_command_makes_all_the_secrets_that_a_demo_needs() -> None:
    """What plain Pulumi has not: `ops` makes them by itself."""
    keys = ("grafanaAdminPassword", "postgresPassword", "redisPassword", "realtimeMetricsSecret")
    assert problem({"demo": "true"}) == (
        f"{', '.join(f'monitoring:{key}' for key in keys)} are missing (the demo needs them); make them with: "
        + ("pulumi config set-all " + " ".join(f"--secret monitoring:{key}=$(openssl rand -hex 24)" for key in keys))
    )
    without = {key: value for key, value in DEMO.items() if key not in keys[:2]}
    assert problem(without).startswith("monitoring:grafanaAdminPassword, monitoring:postgresPassword are missing")
