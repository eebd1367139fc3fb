"""The generated guards: each fires for what is missing, and for nothing else."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.defaults import default_thresholds
from config.prometheus.jobs import ScrapeJob, ScrapeTarget, scrape_jobs
from tests.rules.reading import dev

JOBS = scrape_jobs(dev())
PAIRS = [(job, metric) for job in JOBS for metric in job.key_metrics]
DASHBOARD = "https://grafana.example/d/system-overview"


def series(metric: str, job: ScrapeJob, target: ScrapeTarget, values: str) -> dict[str, str]:
    labels = {
        "job": job.name,
        "instance": target.instance,
        "component": job.component,
        "service": job.service,
        **target.labels,
    }
    text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return {"series": f"{metric}{{{text}}}", "values": values}


def everything(up: str = "1x20", without: tuple[str, str] = ("", "")) -> list[dict[str, str]]:
    """Every target with all its key metrics, but for one metric of one job."""
    found = []
    for job in JOBS:
        for target in job.targets:
            found.append(series("up", job, target, up))
            found += [series(m, job, target, "1x20") for m in job.key_metrics if (job.name, m) != without]
    return found


def thresholds(but: int = 0) -> list[dict[str, str]]:
    return [{"series": f"threshold:{key}", "values": "1x20"} for key in sorted(default_thresholds())[but:]]


def expect(rendered: Path, name: str, input_series: list[dict[str, str]], alerts: list[dict[str, Any]]) -> None:
    """Have promtool check which alerts of this name fire after ten minutes, and that none does after four."""
    test = {
        "interval": "1m",
        "external_labels": {
            "runbook_base": "https://runbooks.example",
            "grafana_base": "https://grafana.example",
        },
        "input_series": input_series,
        "alert_rule_test": [
            {"alertname": name, "eval_time": "4m", "exp_alerts": []},
            {"alertname": name, "eval_time": "10m", "exp_alerts": alerts},
        ],
    }
    file = rendered / "case-generated.yml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules/absent.yml"], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_without_targets(job: ScrapeJob, rendered: Path) -> None:
    others = [each for each in everything() if f'job="{job.name}"' not in each["series"]]
    text = f"The job {job.name} has had no target for 5 minutes: nothing about {job.service} is measured."
    alert = {
        "exp_labels": {
            "job": job.name,
            "service": job.service,
            "component": job.component,
            "priority": "P2",
        },
        "exp_annotations": {
            "summary": f"Prometheus has no target for {job.name}.",
            "description": text,
            "runbook_url": "https://runbooks.example/ScrapeJobAbsent.md",
            "dashboard_url": DASHBOARD,
        },
    }
    expect(rendered, "ScrapeJobAbsent", others, [alert])


@pytest.mark.parametrize(("job", "metric"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_a_target_without_a_key_metric(job: ScrapeJob, metric: str, rendered: Path) -> None:
    alerts = [
        {
            "exp_labels": {
                "job": job.name,
                "instance": target.instance,
                "service": job.service,
                "component": job.component,
                "metric": metric,
                "priority": "P2",
                **target.labels,
            },
            "exp_annotations": {
                "summary": f"{job.service} answers without {metric}.",
                "description": f"{target.instance} is up but has not served {metric} for 5 minutes; "
                "rules that read it are blind.",
                "runbook_url": "https://runbooks.example/KeyMetricAbsent.md",
                "dashboard_url": DASHBOARD,
            },
        }
        for target in job.targets
    ]
    expect(rendered, "KeyMetricAbsent", everything(without=(job.name, metric)), alerts)


def test_nothing_is_missing(rendered: Path) -> None:
    for name in ("ScrapeJobAbsent", "KeyMetricAbsent", "ThresholdAbsent"):
        expect(rendered, name, [*everything(), *thresholds()], [])


def test_what_is_down_is_not_missing_its_metrics(rendered: Path) -> None:
    down = [each for each in everything(up="0x20") if each["series"].startswith("up{")]
    expect(rendered, "KeyMetricAbsent", down, [])
    expect(rendered, "ScrapeJobAbsent", down, [])


def test_a_missing_threshold(rendered: Path) -> None:
    wanted = len(default_thresholds())
    text = f"Prometheus has {wanted - 1} of {wanted} series threshold:*; the alerts that read the others cannot fire."
    alert = {
        "exp_labels": {"component": "monitoring", "service": "prometheus", "priority": "P2"},
        "exp_annotations": {
            "summary": "Alert thresholds are missing.",
            "description": text,
            "runbook_url": "https://runbooks.example/ThresholdAbsent.md",
            "dashboard_url": DASHBOARD,
        },
    }
    expect(rendered, "ThresholdAbsent", thresholds(but=1), [alert])


def test_every_job_and_every_key_metric_has_a_guard(rendered: Path) -> None:
    rules = yaml.safe_load((rendered / "rules/absent.yml").read_text())["groups"][0]["rules"]
    guarded = [(rule["alert"], rule["labels"].get("job") or rule["labels"].get("metric")) for rule in rules]
    wanted = [("ScrapeJobAbsent", job.name) for job in JOBS] + [("KeyMetricAbsent", metric) for _, metric in PAIRS]
    assert sorted(guarded, key=str) == sorted([*wanted, ("ThresholdAbsent", None)], key=str)
