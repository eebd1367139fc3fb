"""The settings of one stack: Pulumi configuration, then the environment, then `.env`, checked and typed.

Everything is checked here, before any resource is declared; every error names its key, the value and the way out.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from config.alerting import Alerting, alerting_of
from config.alerting import problems as alerting_problems
from config.backend import Backend, backend_of
from config.defaults import DEFAULT_MEMORY, default_thresholds
from config.errors import SettingsError
from config.necessary import missing
from config.ports import PORT_KEYS, Ports, ports_of, reachable
from config.project import PROJECT, ROOT
from config.reading import read
from config.stack_name import check_stack_name
from config.way_out import set_with
from config.wording import unknown_in


@dataclass(frozen=True)
class Images:
    """Where images come from. `pull_timeout` is in seconds; `overrides` maps a key of images.yaml to a reference."""

    mirror: str
    bundle: Path | None
    source: Literal["auto", "registry", "bundle", "lab"]
    pull_timeout: int
    overrides: Mapping[str, str]


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
    reading = read(values, encrypted, os.environ if environment is None else environment, dotenv)
    keys, problems = reading.keys, reading.problems
    problems += missing(keys, reading.wrong)
    if not reading.wrong:
        problems += alerting_problems(keys)
    thresholds = default_thresholds()
    problems += unknown_in("thresholds", keys.thresholds, thresholds, "config/prometheus/thresholds.yaml lists all")
    problems += unknown_in("memory", keys.memory, DEFAULT_MEMORY, f"the services are {', '.join(DEFAULT_MEMORY)}")
    if images is not None:
        problems += unknown_in("imageOverrides", keys.image_overrides, images, "config/images.yaml lists all")
    ports = ports_of(stack, keys)
    if not reading.wrong & set(PORT_KEYS.values()) and len(set(vars(ports).values())) < len(PORT_KEYS):
        taken = ", ".join(f"{PROJECT}:{name}Port is {port}" for name, port in vars(ports).items())
        problems.append(f"ports clash: {taken}; each must differ; set one with: {set_with('lokiPort', 'PORT')}")
    if problems:
        raise SettingsError("\n".join(problems))
    host = reachable(keys.bind_address)
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
        backend=backend_of(keys),
        alerting=alerting_of(keys),
        memory={**DEFAULT_MEMORY, **keys.memory},
    )
