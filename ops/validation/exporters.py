"""The exporters: each serves the metrics without which its target is up and useless."""

from collections.abc import Iterator

import docker

from config.prometheus.jobs import ScrapeJob, scrape_jobs
from config.settings import Settings
from ops.validation.check import Check, query
from ops.validation.prometheus import NEEDS, services_behind

__all__ = ["NEEDS", "checks"]


def checks(settings: Settings, _: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    for job in scrape_jobs(settings):
        for metric in job.key_metrics:
            yield _served(job, metric, settings)


def _served(job: ScrapeJob, metric: str, settings: Settings) -> Check:
    targets = {target.instance for target in job.targets}
    found = query(settings.prometheus.url, f'count by (instance) ({metric}{{job="{job.name}"}})')
    series = {result["metric"].get("instance"): int(result["value"][1]) for result in found}
    missing = sorted(targets - set(series))
    detail = f"{sum(series.values())} series of {len(targets) - len(missing)} of {len(targets)} targets"
    return Check.of(
        f"{job.name}: {metric}",
        not missing,
        detail + (f"; none of {', '.join(missing)}" if missing else ""),
        expected=f"{metric} from every target",
        hint="the target answers and does not serve it: compare its version and arguments with "
        "config/prometheus/jobs.py, and the rights of the user it logs in as; follow docs/runbooks/KeyMetricAbsent.md",
        about=f"{job.name}'s metrics",
        # The first metric that is missing speaks for the others of its job.
        needs=(*NEEDS, f"job {job.name}", f"{job.name}'s metrics", *services_behind(job)),
    )
