"""The exporters: each serves the metrics without which its target is up and useless."""

from collections.abc import Iterator

import docker

from config.prometheus.jobs import scrape_jobs
from config.settings import Settings
from ops.validation.check import Check, query


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    for job in scrape_jobs(settings):
        for metric in job.key_metrics:
            found = query(settings.prometheus.url, f'count({metric}{{job="{job.name}"}})')
            series = int(found[0]["value"][1]) if found else 0
            yield Check.of(f"{job.name}: {metric}", series > 0, f"{series} series")
