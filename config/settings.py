"""The settings of one stack: Pulumi configuration, then the environment, then `.env`, checked and typed.

Everything is checked here, before any resource is declared; every error names its key, the value and the way out.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from config.keys import Keys, environment_variables, secret_keys

PROJECT = "monitoring"
ROOT = Path(__file__).resolve().parent.parent

# Docker's rule for container names, kept short enough for the longest service name and for Pulumi's stack names.
_STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_EPHEMERAL = re.compile(r"pr-(\d+)")

# MB; measured use of the dev stack under load with room to spare. Loki: 1 GB chunk cache, results caches, working set.
DEFAULT_MEMORY = {
    "prometheus": 1024,
    "alertmanager": 128,
    "grafana": 512,
    "loki": 2560,
    "promtail": 256,
    "alloy": 512,
    "node-exporter": 128,
    "cadvisor": 512,
    "postgres-exporter": 128,
    "redis-exporter": 64,
    "postgres": 512,
    "postgres-replica": 512,
    "redis": 256,
    "demo": 256,
    "config-writer": 256,
}


class SettingsError(ValueError):
    """One or more settings are missing or malformed; the message has a line for each, with the way out."""


@dataclass(frozen=True)
class Images:
    """Where images come from. `pull_timeout` is in seconds; `overrides` maps a key of images.yaml to a reference."""

    mirror: str
    bundle: Path | None
    source: Literal["auto", "registry", "bundle", "lab"]
    pull_timeout: int
    overrides: Mapping[str, str]


@dataclass(frozen=True)
class Ports:
    """Host ports that the user interfaces are published on."""

    prometheus: int
    alertmanager: int
    grafana: int
    loki: int


@dataclass(frozen=True)
class Prometheus:
    """Intervals and retention as Prometheus writes durations (`10s`, `30d`)."""

    scrape_interval: str
    evaluation_interval: str
    retention: str
    url: str


@dataclass(frozen=True)
class Grafana:
    """How Grafana is had, where people and the provider reach it, and with which credentials."""

    mode: Literal["container", "external", "none"]
    url: str
    admin_user: str
    admin_password: SecretStr | None
    token: SecretStr | None


@dataclass(frozen=True)
class PostgresServer:
    """One PostgreSQL server and the DNS name of the exporter that watches it."""

    host: str
    port: int
    role: Literal["primary", "replica"]
    exporter: str


@dataclass(frozen=True)
class RedisServer:
    """Redis and the DNS name of its exporter."""

    host: str
    port: int
    exporter: str
    password: SecretStr | None


@dataclass(frozen=True)
class Backend:
    """What is watched: the demo backend's services, or addresses of a backend that already runs."""

    postgres: tuple[PostgresServer, ...]
    postgres_db: str
    postgres_user: str
    postgres_password: SecretStr | None
    postgres_sslmode: str
    redis: RedisServer | None
    kong: tuple[str, ...]
    realtime: tuple[str, ...]
    realtime_secret: SecretStr | None
    websocket: tuple[str, ...]
    application: tuple[str, ...]


@dataclass(frozen=True)
class Cadvisor:
    """`containers` is the regular expression of the container names that are kept."""

    containers: str


@dataclass(frozen=True)
class Alerting:
    """Receivers of notifications; one that is not configured is empty or None."""

    smtp_host: str
    smtp_port: int
    smtp_from: str
    smtp_username: str
    smtp_password: SecretStr | None
    slack_webhook_url: SecretStr | None
    pagerduty_service_key: SecretStr | None
    email_critical: str
    email_high: str
    heartbeat_url: SecretStr | None


@dataclass(frozen=True)
class Settings:
    """Everything that one stack is made from; see `load`."""

    project: str
    stack: str
    demo: bool
    protect: bool
    drill: bool
    docker_host: str
    docker_network: str
    bind_address: str
    ports: Ports
    images: Images
    prometheus: Prometheus
    alertmanager_url: str
    loki_url: str
    loki_retention: str
    log_agent: Literal["promtail", "alloy"]
    grafana: Grafana
    thresholds: Mapping[str, float]
    runbook_base_url: str
    cadvisor: Cadvisor
    backend: Backend
    alerting: Alerting
    memory: Mapping[str, int]

    def name(self, service: str) -> str:
        """Physical name of a service's container, volume or network: `<project>-<stack>-<service>`."""
        return f"{self.project}-{self.stack}-{service}"


def load(
    stack: str,
    values: Mapping[str, str],
    *,
    encrypted: set[str] | None = None,
    environment: Mapping[str, str] | None = None,
    dotenv: Path = ROOT / ".env",
) -> Settings:
    """The settings of `stack`.

    Takes `values`: Pulumi configuration of the `monitoring` namespace, key -> text (JSON for lists and objects), secrets
    decrypted; `encrypted`: which of them the stack's file keeps encrypted (None where that is not known); and the
    environment. An environment variable, then `dotenv`, is read where a key is absent or empty.

    Raises SettingsError with all that is wrong.
    """
    if not _STACK_NAME.fullmatch(stack):
        raise SettingsError(
            f"stack name {stack!r} cannot become part of a container name: use at most 40 of a-z, 0-9, '-' and '_', "
            "starting with a letter or digit, such as dev, prod or pr-12"
        )
    keys, sources = _read(values, encrypted, os.environ if environment is None else environment, dotenv)
    problems = _missing(keys)
    thresholds = _merge("thresholds", keys.thresholds, default_thresholds(), problems)
    memory = _merge("memory", keys.memory, DEFAULT_MEMORY, problems)
    if keys.loki_retention[-1:] not in ("d", "w"):
        problems.append(_problem("lokiRetention", keys.loki_retention, "must be whole days, such as 30d", sources))
    if keys.container_filter:
        try:
            re.compile(keys.container_filter)
        except re.error as error:
            problems.append(_problem("containerFilter", keys.container_filter, f"is no regex: {error}", sources))
    unknown = set(keys.image_overrides) - set(image_keys())
    problems += [_unknown(f"imageOverrides.{key}", image_keys()) for key in sorted(unknown)]
    ports = _ports(stack, keys)
    if len({ports.prometheus, ports.alertmanager, ports.grafana, ports.loki}) < 4:
        problems.append(f"ports {ports} clash: prometheusPort, alertmanagerPort, grafanaPort, lokiPort must differ")
    if problems:
        raise SettingsError("\n".join(problems))
    host = "127.0.0.1" if keys.bind_address in ("0.0.0.0", "::") else keys.bind_address
    return Settings(
        project=PROJECT,
        stack=stack,
        demo=keys.demo,
        protect=keys.protect,
        drill=keys.drill,
        docker_host=keys.docker_host,
        docker_network=keys.docker_network,
        bind_address=keys.bind_address,
        ports=ports,
        images=Images(
            mirror=keys.image_mirror.rstrip("/"),
            bundle=Path(keys.image_bundle) if keys.image_bundle else None,
            source=keys.image_source,
            pull_timeout=keys.image_pull_timeout,
            overrides=keys.image_overrides,
        ),
        prometheus=Prometheus(
            scrape_interval=keys.scrape_interval,
            evaluation_interval=keys.evaluation_interval,
            retention=keys.prometheus_retention,
            url=f"http://{host}:{ports.prometheus}",
        ),
        alertmanager_url=f"http://{host}:{ports.alertmanager}",
        loki_url=f"http://{host}:{ports.loki}",
        loki_retention=keys.loki_retention,
        log_agent=keys.log_agent,
        grafana=Grafana(
            mode=keys.grafana_mode,
            url=(keys.grafana_url or f"http://{host}:{ports.grafana}").rstrip("/"),
            admin_user=keys.grafana_admin_user,
            admin_password=keys.grafana_admin_password,
            token=keys.grafana_token,
        ),
        thresholds=thresholds,
        runbook_base_url=keys.runbook_base_url.rstrip("/"),
        cadvisor=Cadvisor(
            containers=keys.container_filter or (f"{PROJECT}-{stack}-.+" if keys.demo else ".+"),
        ),
        backend=_demo_backend(keys) if keys.demo else _existing_backend(keys),
        alerting=Alerting(
            smtp_host=keys.smtp_host,
            smtp_port=keys.smtp_port,
            smtp_from=keys.smtp_from,
            smtp_username=keys.smtp_username,
            smtp_password=keys.smtp_password,
            slack_webhook_url=keys.slack_webhook_url,
            pagerduty_service_key=keys.pagerduty_service_key,
            email_critical=keys.alert_email_critical,
            email_high=keys.alert_email_high,
            heartbeat_url=keys.heartbeat_url,
        ),
        memory=memory,
    )


def default_thresholds() -> dict[str, float]:
    """Key -> default of every threshold in config/prometheus/thresholds.yaml."""
    table = yaml.safe_load((ROOT / "config/prometheus/thresholds.yaml").read_text()) or {}
    return {key: float(entry["default"]) for key, entry in table.items()}


def image_keys() -> list[str]:
    """The keys of config/images.yaml."""
    return list(yaml.safe_load((ROOT / "config/images.yaml").read_text()))


def from_environment(
    environment: Mapping[str, str] = os.environ, dotenv: Path = ROOT / ".env"
) -> dict[str, tuple[str, str]]:
    """Key -> (value, where it comes from) of the keys that the environment or, after it, the file `dotenv` sets."""
    from_file = dotenv_values(dotenv, interpolate=False) if dotenv.is_file() else {}
    found = {}
    for key, variable in environment_variables().items():
        if value := environment.get(variable):
            found[key] = (value, f"environment variable {variable}")
        elif value := from_file.get(variable):
            found[key] = (value, f"{variable} in {dotenv.name}")
    return found


def required_secrets(values: Mapping[str, Any]) -> list[str]:
    """Keys of the secrets that a demo stack needs, and which can be generated, as nothing outside knows them."""
    secrets = ["postgresPassword", "redisPassword", "realtimeMetricsSecret"]
    return secrets + (["grafanaAdminPassword"] if values.get("grafanaMode", "container") == "container" else [])


def _read(
    values: Mapping[str, str], encrypted: set[str] | None, environment: Mapping[str, str], dotenv: Path
) -> tuple[Keys, dict[str, str]]:
    """The keys, and where each value came from; raises SettingsError for what is malformed, unknown or in clear."""
    problems = []
    known = {to_camel(name) for name in Keys.model_fields}
    problems += [_unknown(key, sorted(known)) for key in sorted(set(values) - known)]
    if encrypted is not None:
        problems += [
            f"{PROJECT}:{key} is a secret stored in clear in the stack's file; "
            f"store it with: pulumi config set --secret {PROJECT}:{key}"
            for key in sorted(secret_keys())
            if values.get(key) and key not in encrypted
        ]
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for key, (value, source) in from_environment(environment, dotenv).items():
        found[key], sources[key] = value, source
    for key in known & set(values):
        if values[key] != "":
            found[key], sources[key] = values[key], "Pulumi configuration"
    for key, annotation in ((to_camel(n), f.annotation) for n, f in Keys.model_fields.items()):
        if key in found and ("dict" in str(annotation) or "tuple" in str(annotation)):
            try:
                found[key] = json.loads(found[key])
            except ValueError:
                problems.append(_problem(key, found.pop(key), "must be JSON", sources))
    try:
        keys = Keys.model_validate(found)
    except ValidationError as error:
        for detail in error.errors(include_input=False, include_url=False):
            key = str(detail["loc"][0])
            path = ".".join(str(part) for part in detail["loc"])
            shown = "(secret)" if key in secret_keys() else found.get(key)
            message = detail["msg"].removeprefix("Value error, ")
            problems.append(_problem(path, shown, message[0].lower() + message[1:], sources))
    if problems:
        raise SettingsError("\n".join(problems))
    return keys, sources


def _problem(path: str, value: object, message: str, sources: Mapping[str, str]) -> str:
    key = path.split(".", maxsplit=1)[0]
    origin = sources.get(key, "default")
    way_out = (
        f"change it with: pulumi config set {PROJECT}:{key}"
        if origin == "Pulumi configuration"
        else "change it there, or set the key"
    )
    return f"{PROJECT}:{path} is {value!r} (from {origin}): {message}; {way_out}"


def _unknown(key: str, known: list[str]) -> str:
    return f"{PROJECT}:{key} is not a key that this project knows; the keys are: {', '.join(known)}"


def _merge(key: str, given: Mapping[str, Any], defaults: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Defaults with the given values over them; a given name without a default is a problem."""
    problems += [_unknown(f"{key}.{name}", sorted(defaults)) for name in sorted(set(given) - set(defaults))]
    return {**defaults, **given}


def _missing(keys: Keys) -> list[str]:
    """A line for every key that the other keys make necessary."""
    needed: list[tuple[str, str]] = []
    if keys.grafana_mode == "container" and not keys.grafana_admin_password:
        needed.append(("grafanaAdminPassword", "Grafana runs as a container"))
    if keys.grafana_mode == "external":
        needed += [(k, "grafanaMode is external") for k in ("grafanaUrl", "grafanaToken") if not _value(keys, k)]
    if keys.demo:
        reason = "the demo backend needs it"
        needed += [(k, reason) for k in ("postgresPassword", "redisPassword", "realtimeMetricsSecret")]
    else:
        needed += [("postgresHost", "demo is off"), ("redisHost", "demo is off")]
        if keys.postgres_host:
            needed.append(("postgresPassword", "postgresHost is set"))
        if keys.realtime_addresses:
            needed.append(("realtimeMetricsSecret", "realtimeAddresses is set"))
    if keys.smtp_host:
        needed.append(("smtpFrom", "smtpHost is set"))
    variables = environment_variables()
    lines = []
    for key, reason in needed:
        if not _value(keys, key):
            secret = "--secret " if key in secret_keys() else ""
            variable = f", or set {variables[key]} in the environment or .env" if key in variables else ""
            lines.append(
                f"{PROJECT}:{key} is missing ({reason}); set it with: pulumi config set {secret}{PROJECT}:{key}{variable}"
            )
    return lines


def _value(keys: Keys, key: str) -> Any:
    return keys.model_dump(by_alias=True).get(key)


def _ports(stack: str, keys: Keys) -> Ports:
    """The published ports: as set, else the services' own, else (pr-<n>) ten ports for each pull request from 20000 on."""
    ephemeral = _EPHEMERAL.fullmatch(stack)
    base = 20000 + int(ephemeral.group(1)) % 4500 * 10 if ephemeral else 0
    return Ports(
        prometheus=keys.prometheus_port or (base if ephemeral else 9090),
        alertmanager=keys.alertmanager_port or (base + 1 if ephemeral else 9093),
        grafana=keys.grafana_port or (base + 2 if ephemeral else 3000),
        loki=keys.loki_port or (base + 3 if ephemeral else 3100),
    )


def _demo_backend(keys: Keys) -> Backend:
    return Backend(
        postgres=(
            PostgresServer("postgres", 5432, "primary", "postgres-exporter"),
            PostgresServer("postgres-replica", 5432, "replica", "postgres-replica-exporter"),
        ),
        postgres_db=keys.postgres_db,
        postgres_user=keys.postgres_user,
        postgres_password=keys.postgres_password,
        postgres_sslmode=keys.postgres_sslmode,
        redis=RedisServer("redis", 6379, "redis-exporter", keys.redis_password),
        kong=("kong:8100",),
        realtime=("realtime:4000",),
        realtime_secret=keys.realtime_metrics_secret,
        websocket=("websocket:8081",),
        application=("app:8082",),
    )


def _existing_backend(keys: Keys) -> Backend:
    replicas = [address.rsplit(":", 1) for address in keys.postgres_replicas]
    return Backend(
        postgres=(
            PostgresServer(keys.postgres_host, keys.postgres_port, "primary", "postgres-exporter"),
            *(
                PostgresServer(host, int(port), "replica", f"postgres-replica-{number}-exporter")
                for number, (host, port) in enumerate(replicas, start=1)
            ),
        ),
        postgres_db=keys.postgres_db,
        postgres_user=keys.postgres_user,
        postgres_password=keys.postgres_password,
        postgres_sslmode=keys.postgres_sslmode,
        redis=RedisServer(keys.redis_host, keys.redis_port, "redis-exporter", keys.redis_password),
        kong=keys.kong_addresses,
        realtime=keys.realtime_addresses,
        realtime_secret=keys.realtime_metrics_secret,
        websocket=keys.websocket_addresses,
        application=keys.application_addresses,
    )
