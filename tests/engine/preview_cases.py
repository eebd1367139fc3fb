"""Changes of every kind, as somebody would make them in the repository or in a stack's configuration."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.engine.deployment import edited

_RULES = "config/prometheus/rules"
_NEW_ALERT = """groups:
  - name: test
    rules:
      - alert: RedisSlowPings
        expr: redis_exporter_last_scrape_duration_seconds{job="redis"} > 0.5
        for: 5m
        labels:
          priority: P3
          component: redis
        annotations:
          summary: Redis answers slowly.
"""
_REJECTED = """      # An event: each refusal was a failed request, and the window of 5 minutes keeps the alert up.
      - alert: RedisRejectedConnections
        expr: increase(redis_rejected_connections_total{job="redis"}[5m]) > 0
        for: 10s
        labels:
          priority: P1
          component: redis
          service: redis
        annotations:
          summary: Redis refuses connections.
          description: >-
            Redis at {{ $labels.instance }} refused {{ $value | humanize }} connections in 5 minutes, as maxclients
            was reached.
          runbook_url: '{{ $externalLabels.runbook_base }}/RedisRejectedConnections.md'
          dashboard_url: '{{ with $externalLabels.grafana_base }}{{ . }}/d/database{{ end }}'
"""
_EQUAL, _CLOSER = '"equal": ["component"]', '"equal": ["component", "instance"]'
_INHIBITION = f"""            "source_matchers": ['alertname=~".+ErrorBudgetBurnFast"'],
            "target_matchers": ['alertname=~".+HighErrorRate"', 'priority=~"P2|P3"'],
            {_EQUAL}"""
_BEFORE_JOB = """        _program(
            "kong","""
_NEW_JOB = """        _program("gateway", "api_gateway", ("gateway:8001",), (), 500),
"""
_VOLUME = """                name=settings.name(service),
"""
_OPTIONS = """                driver_opts={"type": "tmpfs", "device": "tmpfs"} if service == "loki" else None,
"""


@dataclass(frozen=True)
class Case:
    """A change: `edits` are files with one text for another (or a new file's text), `config` is KEY=VALUE."""

    name: str
    edits: tuple[tuple[str, str | tuple[str, str]], ...] = ()
    config: tuple[str, ...] = ()

    @contextmanager
    def made(self, root: Path) -> Iterator[list[str]]:
        """The change in the project at `root`, for a while; gives the options of `ops` that belong to it."""
        with ExitStack() as stack:
            for file, change in self.edits:
                stack.enter_context(edited(root / file, change))
            yield [option for pair in self.config for option in ("--config", pair)]


CASES = (
    Case("nothing"),
    # Rules
    Case("threshold", config=('thresholds={"cpu_usage:ratio": 0.9}',)),
    Case(
        "alert-changed",
        (
            (
                f"{_RULES}/redis_alerts.yml",
                (
                    "ratio > scalar(threshold:redis_memory_usage:ratio)\n        for: 2m\n        keep_firing_for: 2m\n"
                    "        labels:\n          priority: P1",
                    "ratio > 0.8\n        for: 10m\n        labels:\n          priority: P2",
                ),
            ),
        ),
    ),
    Case("alert-limit", ((f"{_RULES}/redis_alerts.yml", ("[5m]) > 0\n", "[5m]) > 3\n")),)),
    Case("alert-added", ((f"{_RULES}/zz_test_alerts.yml", _NEW_ALERT),)),
    Case("alert-removed", ((f"{_RULES}/redis_alerts.yml", (_REJECTED, "")),)),
    Case(
        "recording-rule",
        (
            (
                f"{_RULES}/redis_recordings.yml",
                ('connections_received_total{job="redis"}[5m]', 'connections_received_total{job="redis"}[10m]'),
            ),
        ),
    ),
    Case("log-alert", (("config/loki/rules/system.yml", ("[10m]", "[30m]")),)),
    Case("comment-alone", ((f"{_RULES}/redis_alerts.yml", ("# Redis.\n", "# Redis and what it says.\n")),)),
    Case("rule-broken", ((f"{_RULES}/zz_test_alerts.yml", "groups:\n  - name: [\n"),)),
    # Notifications
    Case(
        "routes",
        (
            (
                "config/alertmanager/routes.py",
                ('"P2": ("30s", "5m", "4h")', '"P2": ("30s", "5m", "2h")'),
            ),
            ("config/alertmanager/routes.py", ('    "business": ["component"],\n', "")),
        ),
    ),
    Case("inhibition", (("config/alertmanager/routes.py", (_INHIBITION, _INHIBITION.replace(_EQUAL, _CLOSER))),)),
    Case("receiver-and-secret", config=("slackWebhookUrl=https://hooks.slack.com/services/T0/B0/neverToBeSeen",)),
    # What is scraped, and what is read of the logs
    Case("scrape-interval", config=("scrapeInterval=30s",)),
    Case("scrape-job", (("config/prometheus/jobs.py", (_BEFORE_JOB, f"{_NEW_JOB}{_BEFORE_JOB}")),)),
    Case(
        "log-mask",
        (
            (
                "config/logs/masks.py",
                (
                    '    Mask("aws-key", r"(ASIA[A-Z0-9]{16})\\b"),\n',
                    '    Mask("infura-key", r"infura\\.io/v3/([0-9a-f]{32})"),\n',
                ),
            ),
        ),
    ),
    Case("log-source", config=('logContainers={"nginx-access": "edge-.+"}',)),
    Case("loki-retention", config=("lokiRetention=7d",)),
    Case("log-agent", config=("logAgent=promtail",)),
    # Containers, volumes, networks
    Case("retention", config=("prometheusRetention=7d",)),
    Case("image", config=('imageOverrides={"redis": "docker.io/library/redis:8.2.1"}',)),
    Case("image-major", config=('imageOverrides={"postgres": "docker.io/library/postgres:99.1"}',)),
    Case("port", config=("prometheusPort=29090",)),
    Case("memory", config=('memory={"loki": 3000}',)),
    Case("secret", config=("redisPassword=neverToBeSeenEither",)),
    Case("environment", (("components/demo/redis.py", ('"128mb"', '"256mb"')),)),
    Case("volume", (("components/service.py", (_VOLUME, f"{_VOLUME}{_OPTIONS}")),)),
    Case(
        "service-removed",
        (("components/stack.py", ("            Cadvisor(host, opts=child),\n", "")),),
    ),
    Case(
        "several",
        (
            (f"{_RULES}/redis_alerts.yml", ("[5m]) > 0\n", "[5m]) > 3\n")),
            ("config/alertmanager/routes.py", ('"P2": ("30s", "5m", "4h")', '"P2": ("30s", "5m", "2h")')),
        ),
        (
            "prometheusRetention=7d",
            'imageOverrides={"redis": "docker.io/library/redis:8.2.1"}',
            'memory={"loki": 3000}',
        ),
    ),
)
