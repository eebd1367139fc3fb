"""What Prometheus scrapes, and every file below /etc/prometheus that follows from it.

One list of jobs makes the scrape configuration and the absent guards. Beside it stand the arguments that exporters need
for the rules to find their metrics. `dev`, `prod` and `pr-<n>` differ in their settings alone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from config.settings import Settings

HERE = Path(__file__).resolve().parent / "prometheus"
REALTIME_TOKEN = "/run/config/realtime_token"

# Seconds that an exporter waits for its server, or for the server's name. By default they wait longer than a scrape may
# take: then the exporter would seem down, and not the server.
CONNECT_TIMEOUT = 3

# What the rules read beyond the exporters' defaults. pg_stat_statements must be preloaded in the server as well.
EXPORTER_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "postgres-exporter": (
        "--collector.stat_statements",
        "--collector.long_running_transactions",
        "--collector.database_wraparound",
        "--collector.postmaster",
    ),
    "redis-exporter": (f"--connection-timeout={CONNECT_TIMEOUT}s",),
    # Containers' own veth pairs and bridges come and go with every deployment and only repeat what cAdvisor tells.
    "node-exporter": ("--collector.netdev.device-exclude=^(lo|veth.*|br-.*|docker.*|ifb.*)$",),
    "cadvisor": ("--docker_only=true", "--store_container_labels=false", "--housekeeping_interval=10s"),
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
    jobs = [*_monitoring_jobs(settings), *_exporter_jobs(settings), *_backend_jobs(settings)]
    return [job for job in jobs if job.targets]


def prometheus_files(settings: Settings) -> dict[str, str]:
    """Path below /etc/prometheus -> text of every file that Prometheus reads, but for the secrets."""
    files = {"prometheus.yml": _yaml(_prometheus_config(settings))}
    for source in sorted((HERE / "rules").glob("*.yml")):
        files[f"rules/{source.name}"] = source.read_text()
    files["rules/absent.yml"] = _yaml(_absent_rules(scrape_jobs(settings), len(settings.thresholds)))
    files["rules/thresholds.yml"] = _yaml(_threshold_rules(settings.thresholds))
    if settings.drill:
        files = {path: shorten_waits(text) if path.startswith("rules/") else text for path, text in files.items()}
    return files


def shorten_waits(rules: str) -> str:
    """The text of a rule file with every `for` and `keep_firing_for` at a tenth, and at most 30 s.

    Only these two lines change: expressions, windows and thresholds, which are a rule's logic, stay as they are.
    """
    return re.sub(r"^(\s+(?:for|keep_firing_for): )(\S+)$", _shorter, rules, flags=re.MULTILINE)


def seconds(duration: str) -> float:
    """A Prometheus duration such as `1h30m` in seconds; ValueError where it is none."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ValueError(f"{duration!r} is no duration such as 30s or 1h30m")
    return sum(int(number) * units[unit] for number, unit in parts)


def _shorter(match: re.Match[str]) -> str:
    wait = seconds(match.group(2))
    return f"{match.group(1)}{int(min(30, max(10, wait / 10))) if wait else 0}s"


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
    address = f"{name}:{port}"
    return ScrapeJob(name, "monitoring", name, (ScrapeTarget(address, address, {}),), key_metrics, sample_limit)


def _grafana(settings: Settings) -> ScrapeJob:
    scheme, address = "http", "grafana:3000"
    if settings.grafana.mode == "external":
        url = urlsplit(settings.grafana.url)
        scheme, address = url.scheme, url.netloc if url.port else f"{url.netloc}:{443 if url.scheme == 'https' else 80}"
    targets = () if settings.grafana.mode == "none" else (ScrapeTarget(address, address, {}),)
    return ScrapeJob("grafana", "monitoring", "grafana", targets, ("grafana_build_info",), 20_000, scheme=scheme)


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


def _keep_containers(names: str) -> Mapping[str, Any]:
    """Keeps the containers whose names match, and cAdvisor's series that belong to no container."""
    return {
        "source_labels": ["__name__", "name"],
        "regex": f"container_[^;]+;(?:{names})|container_scrape_error;|(?:machine|cadvisor|process|go)_[^;]+;",
        "action": "keep",
    }


def _backend_jobs(settings: Settings) -> list[ScrapeJob]:
    """Programs that speak Prometheus themselves."""
    backend = settings.backend
    return [
        ScrapeJob(
            "kong",
            "api_gateway",
            "kong",
            _addresses(backend.kong),
            # Kong answers without its plugin, or with the plugin's groups off, and then counts no request.
            # Its own label `service` (a service behind Kong) arrives as `exported_service`, as ours is the target's.
            ("kong_http_requests_total", "kong_request_latency_ms_bucket", "kong_bandwidth_bytes"),
            50_000,
        ),
        ScrapeJob(
            "realtime",
            "realtime",
            "realtime",
            _addresses(backend.realtime),
            ("realtime_connections_connected", "realtime_channel_events"),
            50_000,
            authorization_file=REALTIME_TOKEN,
        ),
        ScrapeJob(
            "websocket",
            "websocket",
            "websocket",
            _addresses(backend.websocket),
            ("websocket_connections", "websocket_messages_total", "websocket_message_latency_seconds_bucket"),
            5_000,
        ),
        ScrapeJob(
            "application",
            "business",
            "application",
            _addresses(backend.application),
            ("defillama_subscriptions", "defillama_events_processed_total"),
            10_000,
        ),
    ]


def _addresses(addresses: Iterable[str]) -> tuple[ScrapeTarget, ...]:
    return tuple(ScrapeTarget(address, address, {}) for address in addresses)


def _prometheus_config(settings: Settings) -> dict[str, Any]:
    grafana = "" if settings.grafana.mode == "none" else settings.grafana.url
    return {
        "global": {
            "scrape_interval": settings.prometheus.scrape_interval,
            "evaluation_interval": settings.prometheus.evaluation_interval,
            "scrape_timeout": _scrape_timeout(settings.prometheus.scrape_interval),
            # The two bases are for the annotations of rules, which so stay plain YAML that is the same in every stack;
            # they are dropped from the alerts below. No remote write or federation exists that they could leak to.
            "external_labels": {
                "project": settings.project,
                "stack": settings.stack,
                "runbook_base": settings.runbook_base_url,
                "grafana_base": grafana,
            },
        },
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "runbook_base|grafana_base"}],
            "alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}],
        },
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [_scrape_config(job) for job in scrape_jobs(settings)],
    }


def _scrape_timeout(interval: str) -> str:
    """As long as the interval, which it must not exceed, but at most 10 s."""
    return interval if seconds(interval) < 10 else "10s"


def _scrape_config(job: ScrapeJob) -> dict[str, Any]:
    config: dict[str, Any] = {"job_name": job.name, "sample_limit": job.sample_limit, "label_limit": job.label_limit}
    if job.scheme != "http":
        config["scheme"] = job.scheme
    if job.metrics_path != "/metrics":
        config["metrics_path"] = job.metrics_path
    if job.authorization_file:
        config["authorization"] = {"type": "Bearer", "credentials_file": job.authorization_file}
    if job.track_timestamps_staleness:
        config["track_timestamps_staleness"] = True
    config["static_configs"] = [
        {
            "targets": [target.address],
            "labels": {
                "component": job.component,
                "service": job.service,
                "instance": target.instance,
                **target.labels,
            },
        }
        for target in job.targets
    ]
    if job.metric_relabel:
        config["metric_relabel_configs"] = [dict(rule) for rule in job.metric_relabel]
    return config


def _threshold_rules(thresholds: Mapping[str, float]) -> dict[str, Any]:
    """One series per threshold, so that rules, which are the same in every stack, read a stack's own numbers."""
    rules = [{"record": f"threshold:{key}", "expr": f"vector({value!r})"} for key, value in sorted(thresholds.items())]
    return {"groups": [{"name": "thresholds", "rules": rules}]}


def _absent_rules(jobs: Iterable[ScrapeJob], thresholds: int) -> dict[str, Any]:
    """Guards against silence: a rule over a metric that is not there never fires, and looks like health."""
    rules = [
        # A comparison with a threshold that is not there is never true.
        _alert(
            "ThresholdAbsent",
            f'(count({{__name__=~"threshold:.+"}}) or vector(0)) < {thresholds}',
            {"component": "monitoring", "service": "prometheus"},
            "Alert thresholds are missing.",
            f"Prometheus has {{{{ $value }}}} of {thresholds} series threshold:*; "
            "the alerts that read the others cannot fire.",
        )
    ]
    for job in jobs:
        rules.append(
            _alert(
                "ScrapeJobAbsent",
                f'absent(up{{job="{job.name}"}})',
                {"job": job.name, "service": job.service, "component": job.component},
                f"Prometheus has no target for {job.name}.",
                f"The job {job.name} has had no target for 5 minutes: nothing about {job.service} is measured.",
            )
        )
        rules += [
            _alert(
                "KeyMetricAbsent",
                f'up{{job="{job.name}"}} == 1 unless on (job, instance) {metric}{{job="{job.name}"}}',
                {"metric": metric, "component": job.component},
                f"{job.service} answers without {metric}.",
                f"{{{{ $labels.instance }}}} is up but has not served {metric} for 5 minutes; "
                "rules that read it are blind.",
            )
            for metric in job.key_metrics
        ]
    return {"groups": [{"name": "absent", "rules": rules}]}


def _alert(name: str, expr: str, labels: Mapping[str, str], summary: str, description: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        "for": "5m",
        "labels": {"priority": "P2", **labels},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"{{{{ $externalLabels.runbook_base }}}}/{name}.md",
            "dashboard_url": "{{ with $externalLabels.grafana_base }}{{ . }}/d/system-overview{{ end }}",
        },
    }


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120)
