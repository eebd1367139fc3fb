"""Rules that are made from the jobs and the thresholds: guards against silence, and each threshold as a series."""

from collections.abc import Iterable, Mapping
from typing import Any

from config.links import overview_links
from config.prometheus.jobs import ScrapeJob


def threshold_rules(thresholds: Mapping[str, float]) -> dict[str, Any]:
    """One series per threshold, so that rules, which are the same in every stack, read a stack's own numbers."""
    rules = [{"record": f"threshold:{key}", "expr": f"vector({value!r})"} for key, value in sorted(thresholds.items())]
    return {"groups": [{"name": "thresholds", "rules": rules}]}


def absent_rules(jobs: Iterable[ScrapeJob], thresholds: int) -> dict[str, Any]:
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
            **overview_links(name),
        },
    }
