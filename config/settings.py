"""The settings of one stack: Pulumi configuration, then the environment, then `.env`, checked and typed.

Everything is checked here, before any resource is declared; every error names its key, the value and the way out.
"""

import difflib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_origin

import yaml
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from config.alerting import Alerting, alerting_of
from config.alerting import problems as alerting_problems
from config.keys import Keys, environment_variables, secret_keys
from config.values import shortened
from config.way_out import make_with, remove_with, set_with

PROJECT = "monitoring"
ROOT = Path(__file__).resolve().parent.parent

# Docker's rule for container names, kept short enough for the longest service name and for Pulumi's stack names.
_STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
EPHEMERAL = re.compile(r"pr-(\d+)")
"""The name of a pull request's stack, which lives as long as it does."""

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
    "nginx": 64,
    "demo": 256,
    "docker-proxy": 64,
    "config-writer": 256,
}


_CONFIGURATION = "Pulumi configuration"
PORT_KEYS = {
    "prometheus": "prometheusPort",
    "alertmanager": "alertmanagerPort",
    "grafana": "grafanaPort",
    "loki": "lokiPort",
}
"""Service -> the key of its published port."""
# How a key that holds several values is written: Python's type of it -> JSON's type and name.
_STRUCTURES: Mapping[Any, tuple[type, str]] = {dict: (dict, "object"), tuple: (list, "list")}


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
    """`containers`: regular expression of the names of containers that are kept; `containerd_socket`: may be empty."""

    containers: str
    containerd_socket: str


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
    health_start_interval: str
    bind_address: str
    ports: Ports
    images: Images
    prometheus: Prometheus
    alertmanager_url: str
    loki_url: str
    loki_retention: str
    loki_retention_by_stream: Mapping[str, str]
    log_agent: Literal["promtail", "alloy"]
    log_containers: Mapping[str, str]
    host_journal: str
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
    images: Collection[str] | None = None,
) -> Settings:
    """The settings of `stack`.

    Takes `values`: Pulumi configuration of the `monitoring` namespace, key -> text (JSON for lists and objects),
    secrets decrypted; `encrypted`: which of them the stack's file keeps encrypted (None where that is not known); the
    environment; and `images`: the keys of images.yaml, which imageOverrides may name (None: any).
    An environment variable, then `dotenv`, is read where a key is absent or empty.

    Raises SettingsError with all that is wrong.
    """
    check_stack_name(stack)
    reading = _read(values, encrypted, os.environ if environment is None else environment, dotenv)
    keys, problems = reading.keys, reading.problems
    problems += _missing(keys, reading.wrong)
    if not reading.wrong:
        problems += alerting_problems(keys)
    thresholds = default_thresholds()
    problems += _unknown_in("thresholds", keys.thresholds, thresholds, "config/prometheus/thresholds.yaml lists all")
    problems += _unknown_in("memory", keys.memory, DEFAULT_MEMORY, f"the services are {', '.join(DEFAULT_MEMORY)}")
    if images is not None:
        problems += _unknown_in("imageOverrides", keys.image_overrides, images, "config/images.yaml lists all")
    ports = ports_of(stack, keys)
    if not reading.wrong & set(PORT_KEYS.values()) and len(set(vars(ports).values())) < len(PORT_KEYS):
        taken = ", ".join(f"{PROJECT}:{name}Port is {port}" for name, port in vars(ports).items())
        problems.append(f"ports clash: {taken}; each must differ; set one with: {set_with('lokiPort', 'PORT')}")
    if problems:
        raise SettingsError("\n".join(problems))
    host = _reachable(keys.bind_address)
    return Settings(
        project=PROJECT,
        stack=stack,
        demo=keys.demo,
        protect=keys.protect,
        drill=keys.drill,
        docker_host=keys.docker_host,
        docker_network=keys.docker_network,
        health_start_interval=keys.health_start_interval,
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
        loki_retention_by_stream=keys.loki_retention_by_stream,
        log_agent=keys.log_agent,
        log_containers=keys.log_containers,
        host_journal=keys.host_journal,
        grafana=Grafana(
            mode=keys.grafana_mode,
            url=(keys.grafana_url or f"http://{host}:{ports.grafana}").rstrip("/"),
            admin_user=keys.grafana_admin_user,
            admin_password=keys.grafana_admin_password,
            token=keys.grafana_token,
        ),
        thresholds={**thresholds, **keys.thresholds},
        runbook_base_url=keys.runbook_base_url.rstrip("/"),
        cadvisor=Cadvisor(
            containers=keys.container_filter or (f"{PROJECT}-{stack}-.+" if keys.demo else ".+"),
            containerd_socket=keys.containerd_socket,
        ),
        backend=_demo_backend(keys) if keys.demo else _existing_backend(keys),
        alerting=alerting_of(keys),
        memory={**DEFAULT_MEMORY, **keys.memory},
    )


def check_stack_name(stack: str) -> None:
    """Raise SettingsError where `stack` cannot become part of the names of containers."""
    if not _STACK_NAME.fullmatch(stack):
        raise SettingsError(
            f"stack name {shortened(stack)} cannot become part of a container name: "
            "use at most 40 of a-z, 0-9, '-' and '_', starting with a letter or digit, such as dev, prod or pr-12"
        )


@cache
def default_thresholds() -> Mapping[str, float]:
    """Key -> default of every threshold in config/prometheus/thresholds.yaml."""
    table = yaml.safe_load((ROOT / "config/prometheus/thresholds.yaml").read_text()) or {}
    return {key: float(entry["default"]) for key, entry in table.items()}


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


def check_key(key: str) -> str:
    """What is wrong with `key` (camelCase) as the name of a key; empty where it is one."""
    known = [to_camel(name) for name in Keys.model_fields]
    return "" if key in known else _unknown(key, known, "Pulumi.yaml lists all")


def problems_of(key: str, text: str) -> list[str]:
    """What is wrong with `text` (JSON for lists and objects) as the value of `key`, a line for each problem."""
    return _read({key: text}, None, {}, Path(os.devnull)).problems


def required_secrets(values: Mapping[str, Any]) -> list[str]:
    """Keys of the secrets that a demo stack needs, and which can be generated, as nothing outside knows them."""
    secrets = ["postgresPassword", "redisPassword", "realtimeMetricsSecret"]
    return secrets + (["grafanaAdminPassword"] if values.get("grafanaMode", "container") == "container" else [])


@dataclass(frozen=True)
class _Reading:
    """The keys as far as they are right, which of them are wrong (and have their default), and what is wrong."""

    keys: Keys
    wrong: set[str]
    problems: list[str]


def _read(
    values: Mapping[str, str], encrypted: set[str] | None, environment: Mapping[str, str], dotenv: Path
) -> _Reading:
    """Each key's value from where it comes first; a problem for what is malformed, unknown or a secret in clear."""
    kinds = {to_camel(name): get_origin(field.annotation) for name, field in Keys.model_fields.items()}
    problems = [_unknown(key, kinds, "Pulumi.yaml lists all") for key in sorted(set(values) - set(kinds))]
    if encrypted is not None:
        problems += [
            f"{PROJECT}:{key} is a secret stored in clear in the stack's file; "
            f"store it with: {set_with(key, '', secret=True)}"
            for key in sorted(secret_keys())
            if values.get(key) not in (None, "", "{}") and key not in encrypted
        ]
    given = from_environment(environment, dotenv)
    given |= {key: (value, _CONFIGURATION) for key, value in values.items() if key in kinds and value != ""}
    sources = {key: source for key, (_, source) in given.items()}
    found: dict[str, Any] = {}
    wrong = set()
    for key, (text, _) in given.items():
        try:
            found[key] = _structure(text, kinds[key]) if kinds[key] in _STRUCTURES else text
        except ValueError as error:
            shown = "(a secret)" if key in secret_keys() else shortened(text)
            problems.append(_problem([key], shown, str(error), sources[key]))
            wrong.add(key)
    try:
        keys = Keys.model_validate(found)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0])
            shown = "(a secret)" if key in secret_keys() else shortened(detail["input"])
            message = detail["msg"].removeprefix("Value error, ")
            problems.append(_problem(detail["loc"], shown, message[0].lower() + message[1:], sources[key]))
            wrong.add(key)
        keys = Keys.model_validate({key: value for key, value in found.items() if key not in wrong})
    return _Reading(keys, wrong, problems)


def _structure(text: str, kind: Any) -> Any:
    python, name = _STRUCTURES[kind]
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, python):
        raise ValueError(f"must be a JSON {name}")
    return value


def _problem(path: Iterable[int | str], shown: str, message: str, origin: str) -> str:
    key, *rest = path
    full = f"{PROJECT}:{key}" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    if origin == _CONFIGURATION:
        way_out = f"change it with: {set_with(full.removeprefix(f'{PROJECT}:'), secret=key in secret_keys())}"
    else:
        way_out = f"change it there, or set {full} in the Pulumi configuration"
    return f"{full} is {shown} (from {origin}): {message}; {way_out}"


def _unknown(path: str, known: Iterable[str], listed: str) -> str:
    """`path` ends with a name that is none of `known`; `listed` says which there are."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(path.rpartition(".")[2].lower(), names, n=2)
    suggestion = f"did you mean {' or '.join(names[name] for name in close)}? " if close else ""
    path = shortened(path, quoted=False)
    return (
        f"{PROJECT}:{path} is not a key that this project knows; {suggestion}{listed}; "
        f"remove it with: {remove_with(path)}"
    )


def _unknown_in(key: str, given: Iterable[str], known: Iterable[str], listed: str) -> list[str]:
    """A line for each name below `key` that is none of `known`."""
    return [_unknown(f"{key}.{name}", known, listed) for name in sorted(set(given) - set(known))]


def _missing(keys: Keys, wrong: set[str]) -> list[str]:
    """A line for every key that the other keys make necessary; what is there but `wrong` has its own line already."""
    if wrong & {"demo", "grafanaMode"}:
        return []  # what is necessary depends on these two
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
        if keys.smtp_username:
            needed.append(("smtpPassword", "smtpUsername is set"))
    variables = environment_variables()
    lines = []
    needed = [(key, reason) for key, reason in needed if key not in wrong and not _value(keys, key)]
    # Passwords that nothing outside of a demo knows: whatever they are made to be is right.
    free = [key for key, _ in needed if keys.demo and key in required_secrets({"grafanaMode": keys.grafana_mode})]
    if len(free) > 1:
        names = ", ".join(f"{PROJECT}:{key}" for key in free)
        lines.append(f"{names} are missing (the demo needs them); make them with: {make_with(free)}")
        needed = [(key, reason) for key, reason in needed if key not in free]
    for key, reason in needed:
        secret = key in secret_keys()
        variable = f", or set {variables[key]} in the environment or .env" if key in variables else ""
        command = set_with(key, "" if secret else "VALUE", secret=secret)
        lines.append(f"{PROJECT}:{key} is missing ({reason}); set it with: {command}{variable}")
    return lines


def _value(keys: Keys, key: str) -> Any:
    return keys.model_dump(by_alias=True).get(key)


def _reachable(bind_address: str) -> str:
    """The host part of an address at which what is published on `bind_address` answers on the Docker host."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind_address, bind_address)  # noqa: S104 (compared, not bound)
    return f"[{address}]" if ":" in address else address


def ports_of(stack: str, keys: Keys) -> Ports:
    """The published ports: as set, else the services' own or, in pr-<n>, ten for each pull request from 20000 on.

    The latter serves plain Pulumi alone: `ops` finds free ones when it makes such a stack, and sets them.
    """
    ephemeral = EPHEMERAL.fullmatch(stack)
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
