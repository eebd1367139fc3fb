"""What memory limits and thresholds are where no key says otherwise."""

from collections.abc import Mapping
from functools import cache

import yaml

from config.project import ROOT

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
    "blackbox-exporter": 64,
    "postgres": 512,
    "postgres-replica": 512,
    "redis": 256,
    "nginx": 64,
    "demo": 256,
    "docker-proxy": 64,
    "config-writer": 256,
}


@cache
def default_thresholds() -> Mapping[str, float]:
    """Key -> default of every threshold in config/prometheus/thresholds.yaml."""
    table = yaml.safe_load((ROOT / "config/prometheus/thresholds.yaml").read_text()) or {}
    return {key: float(entry["default"]) for key, entry in table.items()}
