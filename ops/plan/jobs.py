"""Prometheus' own configuration: what changes in scrape jobs, and in what holds for all of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ops.plan.compare import differences, pairs, shown
from ops.plan.model import Change, Detail


def changes(before: str, after: str) -> Iterator[Change]:
    """What changes between two texts of prometheus.yml. Raises yaml.YAMLError where one is no YAML."""
    old, new = yaml.safe_load(before) or {}, yaml.safe_load(after) or {}
    for was, becomes in pairs(_jobs(old), _jobs(new), lambda job: job.get("job_name")):
        job = becomes or was or {}
        name = str(job["job_name"])
        if not was:
            yield Change("added", "scrape job", name, (Detail("targets", "", shown(_targets(job).keys())),))
        elif not becomes:
            yield Change("removed", "scrape job", name, note="nothing of it is measured any more")
        else:
            yield Change("changed", "scrape job", name, tuple(_details(was, becomes)))
    rest = differences(_rest(old), _rest(new))
    if rest:
        yield Change("changed", "settings", "prometheus.yml", rest)


def _details(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Detail]:
    before, after = _targets(old), _targets(new)
    for target in [*before, *(target for target in after if target not in before)]:
        if target not in after:
            yield Detail("target", target, "")
        elif target not in before:
            yield Detail("target", "", target)
        else:
            yield from differences(before[target], after[target], f"labels of {target}")
    yield from differences({**old, "static_configs": None}, {**new, "static_configs": None})


def _jobs(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("scrape_configs") or [])


def _targets(job: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Address -> labels of each target."""
    return {
        str(target): dict(group.get("labels") or {})
        for group in job.get("static_configs") or []
        for target in group.get("targets") or []
    }


def _rest(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "scrape_configs"}
