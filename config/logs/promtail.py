"""Promtail's configuration, for those who must stay with it; it has had no release since 2026-03-02."""

from collections.abc import Iterable
from typing import Any

import yaml

from config.logs import pipeline
from config.logs.pipeline import Stage
from config.logs.source import Files, Journal
from config.logs.sources import sources
from config.settings import Settings

# Stages whose parameters are all that Promtail wants to see of them.
_BARE = {"labels": "values", "structured_metadata": "values", "labeldrop": "values"}


def promtail_files(settings: Settings) -> dict[str, str]:
    """Path below /etc/promtail -> text of the files that Promtail reads: `promtail.yaml`."""
    configuration = {
        "server": {"http_listen_port": 9080, "grpc_listen_port": 0, "log_level": "warn"},
        "positions": {"filename": "/positions/positions.yaml"},
        "clients": [
            {
                "url": pipeline.PUSH,
                "external_labels": {"stack": settings.stack},
                # It gives up in the end, but not before it has tried for some hours.
                "backoff_config": {"max_period": "5s", "max_retries": 5000},
            }
        ],
        "scrape_configs": list(_jobs(settings)),
    }
    return {"promtail.yaml": yaml.safe_dump(configuration, sort_keys=False, width=120)}


def _jobs(settings: Settings) -> Iterable[dict[str, Any]]:
    read = [_stage(stage) for stage in pipeline.stages(settings)]
    yield {
        "job_name": "containers",
        "docker_sd_configs": [{"host": pipeline.SOCKET, "refresh_interval": pipeline.REFRESH}],
        "relabel_configs": [
            *pipeline.which_containers(settings),
            # A container on several networks is found once for each; one is enough.
            {
                "source_labels": ["__meta_docker_network_name"],
                "regex": f"{settings.project}-.+-edge",
                "action": "drop",
            },
            *pipeline.container_labels(settings),
        ],
        "pipeline_stages": read,
    }
    for source in sources(settings):
        labels = {"service": "host", "component": source.component, "source": source.name}
        if isinstance(source.found, Files):
            paths = [{"targets": ["localhost"], "labels": {**labels, "__path__": path}} for path in source.found.paths]
            yield {"job_name": source.name, "static_configs": paths, "pipeline_stages": read}
        elif isinstance(source.found, Journal):
            yield {
                "job_name": source.name,
                "journal": {"path": settings.host_journal, "labels": labels},
                "relabel_configs": pipeline.journal_labels(),
                "pipeline_stages": read,
            }


def _stage(stage: Stage) -> dict[str, Any]:
    parameters: Any = dict(stage.parameters)
    if stage.kind in _BARE:
        parameters = parameters[_BARE[stage.kind]]
    elif stage.inside:
        parameters["stages"] = [_stage(inside) for inside in stage.inside]
    return {stage.kind: parameters}
