"""The configuration keys: one field a key, with its type, default, environment variable and description.

`Pulumi.yaml` declares the same keys for the Pulumi engine; a unit test keeps the two alike.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, SecretStr
from pydantic.alias_generators import to_camel

from config.alerting_keys import MuteTime, Receiver
from config.values import (
    Address,
    Database,
    Days,
    DockerHost,
    DockerNetwork,
    Email,
    Endpoint,
    File,
    HostName,
    Interval,
    IpAddress,
    Megabytes,
    Port,
    PostgresUser,
    Regex,
    Registry,
    Retention,
    Seconds,
    Secret,
    SecretUrl,
    StreamSelector,
    Text,
    Url,
    User,
)

# What is written for every request or step is much, and soon of no more use than its count.
DEFAULT_RETENTION = {'{level="debug"}': "3d", '{service="nginx",level="info"}': "7d"}


def _key(default: Any, description: str, *, env: str | None = None) -> Any:
    """A key's default and description, and the environment variable that is read where the key is absent."""
    return Field(default, description=description, json_schema_extra={"env": env} if env else None)


class Keys(BaseModel):
    """All configuration keys as they are written (`monitoring:<camelCase>`), with nothing derived yet."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, hide_input_in_errors=True)

    demo: bool = _key(False, "Run a demo backend (PostgreSQL, Redis and a traffic generator) beside the stack.")
    protect: bool = _key(False, "Protect the data volumes: destroy refuses to remove them.")

    docker_host: DockerHost = _key("", "Docker host, such as ssh://user@host; empty: DOCKER_HOST or the local socket.")
    docker_network: DockerNetwork = _key("", "Existing Docker network that the backend is on, for the stack to join.")
    health_start_interval: Literal["", "1s", "2s", "3s", "4s"] = _key(
        "", "Time between the health checks of a container that starts; needs Docker Engine 25. Empty: 5s."
    )
    bind_address: IpAddress = _key("127.0.0.1", "Address on the Docker host that the user interfaces are published on.")
    prometheus_port: Port | None = _key(
        None, "Published port of Prometheus; default 9090, or one of its own in pr-<n>."
    )
    alertmanager_port: Port | None = _key(None, "Published port of Alertmanager; default 9093.")
    grafana_port: Port | None = _key(None, "Published port of Grafana; default 3000.")
    loki_port: Port | None = _key(None, "Published port of Loki; default 3100.")

    image_mirror: Registry = _key(
        "", "Registry prefix tried before each image's own registry, such as mirror.example/hub."
    )
    image_bundle: File = _key("", "Path of an offline bundle (`ops bundle save`) that images may come from.")
    image_source: Literal["auto", "registry", "bundle", "lab"] = _key("auto", "Where images may come from.")
    image_pull_timeout: Seconds = _key(300, "Seconds that one image may take at one registry.")
    image_overrides: dict[str, Text] = _key({}, "Image references by key of config/images.yaml, in place of its own.")

    scrape_interval: Interval = _key("10s", "How often Prometheus scrapes its targets.")
    evaluation_interval: Interval = _key("10s", "How often Prometheus evaluates its rules.")
    prometheus_retention: Retention = _key("30d", "How long Prometheus keeps samples.")
    loki_retention: Days = _key("30d", "How long Loki keeps log lines; whole days.")
    loki_retention_by_stream: dict[StreamSelector, Days] = _key(
        DEFAULT_RETENTION, "Streams that Loki keeps for another time: LogQL selector of labels -> whole days."
    )
    thresholds: dict[str, FiniteFloat] = _key({}, "Alert thresholds by key of config/prometheus/thresholds.yaml.")
    drill: bool = _key(False, "Shorten the waits of alerts, for drills.")
    memory: dict[str, Megabytes] = _key({}, "Memory limits in MB by service, in place of the defaults.")
    containerd_socket: Text = _key(
        "",
        "Socket of containerd, for cAdvisor on an engine with the containerd image store; as powerful as root.",
    )
    container_filter: Regex = _key("", "Regex of the container names to watch; default: this stack's, in prod all.")
    log_agent: Literal["promtail", "alloy"] = _key(
        "alloy", "Which agent ships the logs; Promtail has had no release since 2026-03-02."
    )
    log_containers: dict[str, Regex] = _key(
        {}, "Regex of the names of others' containers by source of config/logs/sources.py, in place of its own."
    )
    host_journal: Text = _key("", "Directory of the host's journal, such as /var/log/journal; empty: it is not read.")
    runbook_base_url: Url = _key(
        "https://github.com/example/defi-monitoring/blob/main/docs/runbooks", "Address that runbook pages live under."
    )

    grafana_mode: Literal["container", "external", "none"] = _key(
        "container",
        "Run Grafana as a container, use an existing one of version 10 or newer (grafanaUrl, grafanaToken), or none.",
    )
    grafana_url: Url = _key("", "Address of Grafana for people and for the provider; default: the published port.")
    grafana_token: Secret = _key(None, "Service account token of an external Grafana.")
    grafana_admin_user: User = _key("admin", "Grafana's administrator.", env="GRAFANA_ADMIN_USER")
    grafana_admin_password: Secret = _key(None, "Password of Grafana's administrator.", env="GRAFANA_ADMIN_PASSWORD")

    postgres_host: HostName = _key("", "Host of the PostgreSQL primary.", env="POSTGRES_HOST")
    postgres_port: Port = _key(5432, "Port of the PostgreSQL primary.", env="POSTGRES_PORT")
    postgres_db: Database = _key("postgres", "Database that the exporter connects to.", env="POSTGRES_DB")
    postgres_user: PostgresUser = _key("postgres", "PostgreSQL user with the role pg_monitor.", env="POSTGRES_USER")
    postgres_password: Secret = _key(None, "Password of that user.", env="POSTGRES_PASSWORD")
    postgres_sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = _key(
        "disable", "TLS to PostgreSQL; self-hosted Supabase serves none unless told to."
    )
    postgres_replicas: tuple[Address, ...] = _key((), "Addresses (host:port) of PostgreSQL replicas.")
    redis_host: HostName = _key("", "Host of Redis.", env="REDIS_HOST")
    redis_port: Port = _key(6379, "Port of Redis.", env="REDIS_PORT")
    redis_password: Secret = _key(None, "Password of Redis.", env="REDIS_PASSWORD")
    kong_addresses: tuple[Address, ...] = _key((), "Addresses (host:port) of Kong's Status API.")
    realtime_addresses: tuple[Address, ...] = _key((), "Addresses (host:port) of Supabase Realtime.")
    realtime_metrics_secret: Secret = _key(None, "METRICS_JWT_SECRET of Supabase Realtime.")
    websocket_addresses: tuple[Address, ...] = _key((), "Addresses (host:port) of the WebSocket server's metrics.")
    application_addresses: tuple[Address, ...] = _key((), "Addresses (host:port) of the application's metrics.")
    endpoints: tuple[Endpoint, ...] = _key((), "Addresses (http or https) that must answer as users call them.")

    smtp_host: HostName = _key("", "SMTP server for email notifications.", env="SMTP_HOST")
    smtp_port: Port = _key(587, "Port of the SMTP server.", env="SMTP_PORT")
    smtp_from: Email = _key("", "Sender of email notifications.", env="SMTP_FROM")
    smtp_username: Text = _key("", "User at the SMTP server.", env="SMTP_USERNAME")
    smtp_password: Secret = _key(None, "Password at the SMTP server.", env="SMTP_PASSWORD")
    slack_webhook_url: SecretUrl = _key(None, "Slack's incoming webhook.", env="SLACK_WEBHOOK_URL")
    pagerduty_service_key: Secret = _key(
        None, "Key of PagerDuty's Events API v2 integration.", env="PAGERDUTY_SERVICE_KEY"
    )
    pagerduty_url: Url = _key("https://events.pagerduty.com/v2/enqueue", "Address of PagerDuty's Events API v2.")
    alert_email_critical: Email = _key("", "Address for P1 notifications.", env="ALERT_EMAIL_CRITICAL")
    alert_email_high: Email = _key("", "Address for P2 notifications.", env="ALERT_EMAIL_HIGH")
    heartbeat_url: SecretUrl = _key(None, "Webhook that the Watchdog calls while alerting works.")
    receiver_ca: str = _key(
        "", "Certificate (PEM) of the authority that receivers' servers are trusted by; default: the public ones."
    )
    receivers: tuple[Receiver, ...] = _key(
        (), "Further receivers: name, kind, matchers, and secret by its key in receiverSecrets; see docs/alerting.md."
    )
    receiver_secrets: dict[str, SecretStr] = _key({}, "Secrets of the further receivers, by key.")
    mute_times: tuple[MuteTime, ...] = _key(
        (), "Times at which P2 or P3 are kept back: name, priorities, matchers, weekdays, times, location."
    )
    no_receivers: bool = _key(False, "Allow a stack without demo backend to tell nobody of its alerts.")


def environment_variables() -> dict[str, str]:
    """Key (camelCase) -> name of the environment variable that is read where the key is absent."""
    pairs = {}
    for name, field in Keys.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and isinstance(extra.get("env"), str):
            pairs[to_camel(name)] = str(extra["env"])
    return pairs


def secret_keys() -> set[str]:
    """Keys (camelCase) whose values are secrets."""
    return {to_camel(name) for name, field in Keys.model_fields.items() if "SecretStr" in str(field.annotation)}
