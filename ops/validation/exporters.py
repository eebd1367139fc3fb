"""The exporters: each serves the metrics without which its target is up and useless."""

from collections.abc import Iterator

import docker

from config.prometheus.jobs import scrape_jobs
from config.settings import Settings
from ops.validation.check import Check, query


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    for job in scrape_jobs(settings):
        targets = {target.instance for target in job.targets}
        for metric in job.key_metrics:
            found = query(settings.prometheus.url, f'count by (instance) ({metric}{{job="{job.name}"}})')
            series = {result["metric"].get("instance"): int(result["value"][1]) for result in found}
            missing = sorted(targets - set(series))
            detail = f"{sum(series.values())} series of {len(targets) - len(missing)} of {len(targets)} targets"
            yield Check.of(
                f"{job.name}: {metric}", not missing, detail + (f"; none of {', '.join(missing)}" if missing else "")
            )
