"""Prometheus' configuration: every file below /etc/prometheus.

One list of jobs makes the scrape configuration and the absent guards.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.durations import seconds
from config.links import external_labels
from config.prometheus.guards import absent_rules, threshold_rules
from config.prometheus.jobs import ScrapeJob, scrape_jobs
from config.prometheus.support import support_rules
from config.prometheus.waits import shorten_waits
from config.settings import Settings
from config.support import support_table

FLAGS = (
    # An alert holds at Alertmanager for four times this long without news: 100 s. So the Watchdog's heartbeat stops
    # within two minutes after Prometheus; by default (1m) it would take more than four. And a Prometheus that is away
    # for less (an update) ends no alert.
    "--rules.alert.resend-delay=25s",
    # What fired before a restart fires after it at once. By default only alerts with a `for` of 10 minutes do; the rest
    # would end and come again.
    "--rules.alert.for-grace-period=10s",
)
"""Arguments of Prometheus that alerting depends on."""

_RULES = Path(__file__).parent / "rules"


def prometheus_files(settings: Settings, tags: Mapping[str, str] | None = None) -> dict[str, str]:
    """Path below /etc/prometheus -> text of every file that Prometheus reads, but for the secrets.

    `tags` is key of images.yaml -> tag of the image that runs, from which follows until when it is supported; what is
    not in it gets no such series.
    """
    files = {"prometheus.yml": _yaml(_prometheus_config(settings))}
    for source in sorted(_RULES.glob("*.yml")):
        files[f"rules/{source.name}"] = source.read_text()
    files["rules/absent.yml"] = _yaml(absent_rules(scrape_jobs(settings), len(settings.thresholds)))
    files["rules/thresholds.yml"] = _yaml(threshold_rules(settings.thresholds))
    files["rules/support.yml"] = _yaml(support_rules(tags or {}, support_table()))
    if settings.drill:
        files = {path: shorten_waits(text) if path.startswith("rules/") else text for path, text in files.items()}
    return files


def _prometheus_config(settings: Settings) -> dict[str, Any]:
    return {
        "global": {
            "scrape_interval": settings.prometheus.scrape_interval,
            "evaluation_interval": settings.prometheus.evaluation_interval,
            "scrape_timeout": _scrape_timeout(settings.prometheus.scrape_interval),
            # The two bases are dropped from the alerts below. No remote write or federation exists that they could
            # leak to.
            "external_labels": external_labels(settings),
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


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120)
