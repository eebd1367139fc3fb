"""What Prometheus scrapes, and the arguments that exporters need for the rules to find their metrics.

`dev`, `prod` and `pr-<n>` differ in their settings alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.backend import Backend
from config.blackbox import MODULE
from config.settings import Settings

REALTIME_TOKEN = "/run/config/realtime_token"
# Where postgres_exporter finds statements.yaml, and what is in it.
STATEMENTS_FILE = "/etc/postgres_exporter/statements.yaml"
STATEMENTS = (Path(__file__).parent / "statements.yaml").read_text()

# Seconds that an exporter waits for its server, or for the server's name. By default they wait longer than a scrape may
# take: then the exporter would seem down, and not the server.
CONNECT_TIMEOUT = 3

# What the rules read beyond the exporters' defaults. pg_stat_statements must be preloaded in the server as well.
EXPORTER_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "postgres-exporter": (
        "--collector.stat_statements",
        # Deprecated, but the only way in which the database itself decides what it gives away.
        f"--extend.query-path={STATEMENTS_FILE}",
        "--collector.long_running_transactions",
        "--collector.database_wraparound",
        "--collector.postmaster",
    ),
    "redis-exporter": (f"--connection-timeout={CONNECT_TIMEOUT}s",),
    # Containers' own veth pairs and bridges come and go with every deployment and only repeat what cAdvisor tells.
    "node-exporter": ("--collector.netdev.device-exclude=^(lo|veth.*|br-.*|docker.*|ifb.*)$",),
    "cadvisor": (
        "--docker=tcp://docker-proxy:2375",
        "--docker_only=true",
        "--store_container_labels=false",
        "--housekeeping_interval=10s",
    ),
}


@dataclass(frozen=True)
class ScrapeTarget:
    """`address` (host:port) answers; `instance` names the thing watched; `labels` are added to every sample."""

    address: str
    instance: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ScrapeJob:
    """One scrape job.

    `key_metrics` are the metrics without which a target that answers is useless: each gets an absent guard.
    `sample_limit` is the number of samples beyond which a scrape fails, some ten times what is normal.
    `authorization_file` holds a Bearer token. `metric_relabel` is Prometheus' own `metric_relabel_configs`.
    """

    name: str
    component: str
    service: str
    targets: tuple[ScrapeTarget, ...]
    key_metrics: tuple[str, ...]
    sample_limit: int
    label_limit: int = 32
    metrics_path: str = "/metrics"
    scheme: str = "http"
    authorization_file: str = ""
    track_timestamps_staleness: bool = False
    metric_relabel: tuple[Mapping[str, Any], ...] = ()


def scrape_jobs(settings: Settings) -> list[ScrapeJob]:
    """The jobs of a stack; one without targets (a backend that `prod` was not given) is left out."""
    jobs = [*_monitoring_jobs(settings), *_exporter_jobs(settings), *_backend_jobs(settings.backend)]
    jobs.append(_endpoints(settings.backend.endpoints))
    return [job for job in jobs if job.targets]


def _monitoring_jobs(settings: Settings) -> list[ScrapeJob]:
    """The stack itself."""
    agent = settings.log_agent
    return [
        _own("prometheus", 9090, ("prometheus_tsdb_head_series",), 10_000),
        _own("alertmanager", 9093, ("alertmanager_alerts_received_total",), 5_000),
        _grafana(settings),
        _own("loki", 3100, ("loki_distributor_lines_received_total",), 20_000),
        _own("promtail", 9080, ("promtail_targets_active_total",), 5_000)
        if agent == "promtail"
        else _own("alloy", 12345, ("alloy_component_controller_running_components",), 10_000),
    ]


def _own(name: str, port: int, key_metrics: tuple[str, ...], sample_limit: int) -> ScrapeJob:
    return _program(name, "monitoring", (f"{name}:{port}",), key_metrics, sample_limit)


def _grafana(settings: Settings) -> ScrapeJob:
    scheme, address = "http", "grafana:3000"
    if settings.grafana.mode == "external":
        url = urlsplit(settings.grafana.url)
        scheme, address = url.scheme, url.netloc if url.port else f"{url.netloc}:{443 if url.scheme == 'https' else 80}"
    addresses = () if settings.grafana.mode == "none" else (address,)
    return _program("grafana", "monitoring", addresses, ("grafana_build_info",), 20_000, scheme=scheme)


def _exporter_jobs(settings: Settings) -> list[ScrapeJob]:
    """The host, its containers, PostgreSQL and Redis: things that an exporter speaks for."""
    backend = settings.backend
    return [
        ScrapeJob(
            "node",
            "system",
            "host",
            (ScrapeTarget("node-exporter:9100", "docker-host", {}),),
            ("node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_filesystem_avail_bytes"),
            10_000,
        ),
        ScrapeJob(
            "cadvisor",
            "docker",
            "docker",
            (ScrapeTarget("cadvisor:8080", "docker-host", {}),),
            ("container_last_seen", "container_cpu_usage_seconds_total"),
            50_000,
            # cAdvisor writes timestamps of its own: without this, a container that is gone lingers for five minutes.
            track_timestamps_staleness=True,
            metric_relabel=(_keep_containers(settings.cadvisor.containers),),
        ),
        ScrapeJob(
            "postgres",
            "database",
            "postgres",
            tuple(
                ScrapeTarget(f"{server.exporter}:9187", f"{server.host}:{server.port}", {"role": server.role})
                for server in backend.postgres
            ),
            ("pg_up", "pg_stat_database_xact_commit", "pg_stat_activity_count", "pg_settings_max_connections"),
            20_000,
        ),
        ScrapeJob(
            "redis",
            "redis",
            "redis",
            (ScrapeTarget(f"{backend.redis.exporter}:9121", f"{backend.redis.host}:{backend.redis.port}", {}),)
            if backend.redis
            else (),
            ("redis_up", "redis_commands_processed_total", "redis_memory_used_bytes"),
            5_000,
        ),
    ]


def _endpoints(endpoints: Iterable[str]) -> ScrapeJob:
    """What blackbox_exporter says of each endpoint, which it calls when it is scraped."""
    return ScrapeJob(
        "endpoints",
        "api_gateway",
        "endpoint",
        tuple(
            ScrapeTarget("blackbox-exporter:9115", endpoint, {"__param_target": endpoint, "__param_module": MODULE})
            for endpoint in endpoints
        ),
        ("probe_success", "probe_duration_seconds"),
        500,
        metrics_path="/probe",
    )


def _keep_containers(names: str) -> Mapping[str, Any]:
    """Keeps the containers whose names match, and cAdvisor's series that belong to no container."""
    return {
        "source_labels": ["__name__", "name"],
        "regex": f"container_[^;]+;(?:{names})|container_scrape_error;|(?:machine|cadvisor|process|go)_[^;]+;",
        "action": "keep",
    }


def _backend_jobs(backend: Backend) -> list[ScrapeJob]:
    """Programs that speak Prometheus themselves."""
    return [
        # Kong answers without its plugin, or with the plugin's groups off, and then counts no request.
        # Its own label `service` (a service behind Kong) arrives as `exported_service`, as ours is the target's.
        _program(
            "kong",
            "api_gateway",
            backend.kong,
            ("kong_http_requests_total", "kong_request_latency_ms_bucket", "kong_bandwidth_bytes"),
            50_000,
        ),
        _program(
            "realtime",
            "realtime",
            backend.realtime,
            ("realtime_connections_connected", "realtime_channel_events"),
            50_000,
            authorization_file=REALTIME_TOKEN,
        ),
        _program(
            "websocket",
            "websocket",
            backend.websocket,
            ("websocket_connections", "websocket_messages_total", "websocket_message_latency_seconds_bucket"),
            5_000,
        ),
        _program(
            "application",
            "business",
            backend.application,
            ("defillama_subscriptions", "defillama_events_processed_total"),
            10_000,
        ),
    ]


def _program(
    name: str, component: str, addresses: Iterable[str], key_metrics: tuple[str, ...], sample_limit: int, **more: Any
) -> ScrapeJob:
    """The job of a program that speaks for itself: job and service have its name. `more`: further fields of the job."""
    targets = tuple(ScrapeTarget(address, address, {}) for address in addresses)
    return ScrapeJob(name, component, name, targets, key_metrics, sample_limit, **more)
