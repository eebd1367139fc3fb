"""What both agents do with lines: rules that give a container's lines their labels, and stages that read a line.

Alloy and Promtail have the same rules and stages under nearly the same names; alloy.py and promtail.py write them down.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.logs.masks import MASKS
from config.logs.source import Containers, Level, Source, StatusLevel
from config.logs.sources import sources
from config.settings import Settings

SOCKET = "tcp://docker-proxy:2375"
"""Where the agents ask Docker: a proxy that lets them read and do nothing else (config/docker_proxy)."""
PUSH = "http://loki:3100/loki/api/v1/push"
REFRESH = "5s"
"""How often new containers and files are looked for."""

_META = "__meta_docker_container_"
# What is known of a container and stays the same as long as it lives. Alloy keeps the position in a container's lines
# under all labels that it is found with: one that changed (an address, a network) would have it read all again.
KEPT = f"{_META}(id|name|label_monitoring_service|label_monitoring_component|label_com_docker_compose_service)"
# Kubernetes' trick for ids: what they stand for stays the same, and a route has few values.
_ID = r"/([0-9]+|0x[0-9a-fA-F]+|[0-9a-fA-F-]{16,})\b"


@dataclass(frozen=True)
class Stage:
    """One stage of a pipeline: its kind, its parameters, and the stages inside it."""

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inside: tuple["Stage", ...] = ()


def which_containers(settings: Settings) -> list[dict[str, Any]]:
    """Relabel rules that keep the containers whose lines are shipped: a demo's own; elsewhere all of the host."""
    if not settings.demo:
        return []
    return [{"source_labels": [f"{_META}label_monitoring_stack"], "regex": settings.stack, "action": "keep"}]


def container_labels(settings: Settings) -> list[dict[str, Any]]:
    """Relabel rules that give the lines of a container the labels `container`, `service`, `component` and `source`.

    A container of others is a service by its name, or by the name that Compose knows it by.
    """
    name = f"{_META}name"
    rules: list[dict[str, Any]] = [
        {"source_labels": [name], "regex": "/(.+)", "target_label": "container"},
        {"source_labels": [f"{_META}log_stream"], "target_label": "stream"},
        {"target_label": "source", "replacement": "container"},
        {"source_labels": [name], "regex": "/(.+)", "target_label": "service"},
        {"source_labels": [f"{_META}label_com_docker_compose_service"], "regex": "(.+)", "target_label": "service"},
    ]
    for source in sources(settings):
        if isinstance(source.found, Containers):
            rules += _found_by_name(source, settings.log_containers.get(source.name, source.found.names))
    service = f"{_META}label_monitoring_service"
    rules += [
        # What says that it belongs to a stack of ours is not asked for its name.
        {"source_labels": [service], "regex": ".+", "target_label": "source", "replacement": "container"},
        {"source_labels": [service], "regex": "(.+)", "target_label": "service"},
        {"source_labels": [f"{_META}label_monitoring_component"], "regex": "(.+)", "target_label": "component"},
    ]
    for source in sources(settings):
        if isinstance(source.found, Containers) and source.found.services:
            which = {"source_labels": [service, "stream"], "regex": _stream(source, "|".join(source.found.services))}
            rules.append({**which, "target_label": "source", "replacement": source.name})
    return rules


def _found_by_name(source: Source, names: str) -> list[dict[str, Any]]:
    if not names:
        return []
    which = {"source_labels": ["container", "stream"], "regex": _stream(source, names)}
    return [
        {**which, "target_label": "source", "replacement": source.name},
        {**which, "target_label": "component", "replacement": source.component},
    ]


def _stream(source: Source, names: str) -> str:
    assert isinstance(source.found, Containers)
    return f"(?:{names});{source.found.stream or '.+'}"


def journal_labels() -> list[dict[str, Any]]:
    """Relabel rules that turn what the journal knows of an entry into labels; the stages move them beside the line."""
    return [
        {"source_labels": ["__journal_syslog_identifier"], "target_label": "program"},
        {"source_labels": ["__journal__pid"], "target_label": "pid"},
        {"source_labels": ["__journal_priority_keyword"], "target_label": "severity"},
    ]


def stages(settings: Settings) -> list[Stage]:
    """The stages that every line goes through."""
    found = sources(settings)
    return [
        # Before a line is masked: an entry must be whole.
        *(_only(source, _entry(source)) for source in found if source.entry),
        *(Stage("replace", {"expression": mask.expression, "replace": mask.replacement}) for mask in MASKS),
        *(_only(source, reading) for source in found if (reading := list(_reading(source)))),
        # What identifies a single line or only helps to read it makes no stream of its own.
        Stage("structured_metadata", {"values": {"source": "source"}}),
        Stage("labeldrop", {"values": ["source", "filename", "program", "pid", "severity"]}),
    ]


def _only(source: Source, inside: Iterable[Stage]) -> Stage:
    return Stage("match", {"selector": f'{{source="{source.name}"}}'}, tuple(inside))


def _entry(source: Source) -> list[Stage]:
    return [Stage("multiline", {"firstline": source.entry, "max_wait_time": "1s", "max_lines": 500})]


def _reading(source: Source) -> Iterator[Stage]:
    if source.json:
        yield Stage("json", {"expressions": dict(source.json)})
    if source.logfmt:
        yield Stage("logfmt", {"mapping": dict(source.logfmt)})
    for regex in source.regexes:
        yield Stage("regex", {"expression": regex})
    if source.path:
        yield Stage("template", {"source": "route", "template": _route(source.path)})
    if source.timestamp:
        first, *others = source.timestamp.formats
        more = {"fallback_formats": others} if others else {}
        # One that cannot be read keeps the time at which Docker got the line, and not the time of the line before.
        yield Stage(
            "timestamp", {"source": source.timestamp.field, "format": first, "action_on_failure": "skip", **more}
        )
    if source.level:
        yield Stage("template", {"source": "level", "template": _level(source.level)})
        yield Stage("labels", {"values": {"level": "level"}})
    if source.metadata:
        yield Stage("structured_metadata", {"values": {name: name for name in source.metadata}})


def _route(path: str) -> str:
    """A template that makes a route out of a path: the query goes, and each id becomes `:id`."""
    return f"{{{{ regexReplaceAll `{_ID}` (regexReplaceAll `[?].*` .{path} ``) `/:id` }}}}"


def _level(level: Level | StatusLevel) -> str:
    """A template that makes one of the few levels out of what the line says."""
    if isinstance(level, StatusLevel):
        cases = [(f"ge .{level.field} `500`", "error"), (f"ge .{level.field} `400`", "warn"), ("true", "info")]
    else:
        said = f"eq (ToLower .{level.field})"
        cases = [(" ".join([said, *(f"`{word}`" for word in words)]), name) for name, words in level.means.items()]
    return "{{ if " + "{{ else if ".join(f"{condition} }}}}{name}" for condition, name in cases) + "{{ end }}"
