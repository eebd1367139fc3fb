"""Alloy's own configuration, in its own language."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from config.logs import pipeline
from config.logs.pipeline import Stage
from config.logs.source import Files, Journal
from config.logs.sources import sources
from config.settings import Settings

# Parameters of stages that Alloy knows by another name.
_KINDS = {"labeldrop": "label_drop"}
# Seconds without a chance to send after which Promtail's lines are given up; Alloy waits as long as it takes.
_RETRIES = {"max_backoff_period": "5s", "max_backoff_retries": 0}


class _Expression(str):
    """A reference to another component: written without quotes."""


def alloy_files(settings: Settings) -> dict[str, str]:
    """Path below /etc/alloy -> text of its files: `config.alloy`, and the script that starts it."""
    blocks = [
        "// Made from config/logs/sources.py. Where log lines come from, how they are read, and where they go.",
        _block("logging", {"level": "warn"}),
        *_containers(settings),
        *_host(settings),
        _block(
            "loki.process",
            {"forward_to": _Expression("[loki.write.loki.receiver]")},
            *(_stage(stage) for stage in pipeline.stages(settings)),
            label="lines",
        ),
        _block(
            "loki.write",
            {"external_labels": {"stack": settings.stack}},
            _block("endpoint", {"url": pipeline.PUSH, "batch_wait": "500ms", **_RETRIES}),
            label="loki",
        ),
    ]
    return {
        "config.alloy": "\n\n".join(blocks) + "\n",
        "start-alloy.sh": (Path(__file__).parent / "start-alloy.sh").read_text(),
    }


def _containers(settings: Settings) -> list[str]:
    """Containers found, their labels, and their lines."""
    return [
        _block("discovery.docker", {"host": pipeline.SOCKET, "refresh_interval": pipeline.REFRESH}, label="containers"),
        _block(
            "discovery.relabel",
            {"targets": _Expression("discovery.docker.containers.targets")},
            *(_rule(rule) for rule in pipeline.which_containers(settings)),
            _rule({"regex": pipeline.KEPT, "action": "labelkeep"}),
            label="containers",
        ),
        _relabel("containers", pipeline.container_labels(settings)),
        _block(
            "loki.source.docker",
            {
                "host": pipeline.SOCKET,
                "targets": _Expression("discovery.relabel.containers.output"),
                "relabel_rules": _Expression("loki.relabel.containers.rules"),
                "forward_to": _Expression("[loki.process.lines.receiver]"),
            },
            label="containers",
        ),
    ]


def _host(settings: Settings) -> list[str]:
    """The host's files, and its journal where it has one."""
    found = sources(settings)
    targets = [
        {"__path__": path, "service": "host", "component": source.component, "source": source.name}
        for source in found
        if isinstance(source.found, Files)
        for path in source.found.paths
    ]
    blocks = [
        _block("local.file_match", {"path_targets": targets, "sync_period": pipeline.REFRESH}, label="host"),
        _block(
            "loki.source.file",
            {
                "targets": _Expression("local.file_match.host.targets"),
                "forward_to": _Expression("[loki.process.lines.receiver]"),
                # What Promtail had read is not read again.
                "legacy_positions_file": "/positions/positions.yaml",
            },
            label="host",
        ),
    ]
    for source in found:
        if isinstance(source.found, Journal):
            labels = {"service": "host", "component": source.component, "source": source.name}
            blocks += [
                _relabel("journal", pipeline.journal_labels()),
                _block(
                    "loki.source.journal",
                    {
                        "path": settings.host_journal,
                        "labels": labels,
                        "relabel_rules": _Expression("loki.relabel.journal.rules"),
                        "forward_to": _Expression("[loki.process.lines.receiver]"),
                    },
                    label="journal",
                ),
            ]
    return blocks


def _relabel(label: str, rules: Iterable[Mapping[str, Any]]) -> str:
    """Rules that a source of lines takes over; nothing is sent through them."""
    return _block("loki.relabel", {"forward_to": _Expression("[]")}, *(_rule(rule) for rule in rules), label=label)


def _rule(rule: Mapping[str, Any]) -> str:
    return _block("rule", rule)


def _stage(stage: Stage) -> str:
    return _block(
        f"stage.{_KINDS.get(stage.kind, stage.kind)}", stage.parameters, *(_stage(inside) for inside in stage.inside)
    )


def _block(name: str, attributes: Mapping[str, Any], *inside: str, label: str = "") -> str:
    """A block of Alloy's language, formatted as `alloy fmt` would."""
    title = f'{name} "{label}"' if label else name
    lines = _aligned([(key, _value(value)) for key, value in attributes.items()])
    body = "\n\n".join(["\n".join(lines)] * bool(lines) + list(inside))
    return f"{title} {{\n{_indented(body)}\n}}"


def _aligned(attributes: Sequence[tuple[str, str]]) -> list[str]:
    """`key = value`, with the equals signs below each other; a value over several lines is the last of those."""
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for place, (key, value) in enumerate(attributes):
        run.append((key, value))
        if "\n" in value or place == len(attributes) - 1:
            width = max(len(name) for name, _ in run)
            lines += [f"{name.ljust(width)} = {text}" for name, text in run]
            run = []
    return lines


def _value(value: object) -> str:
    if isinstance(value, _Expression):
        return value
    if isinstance(value, str):
        # Between backquotes nothing has a meaning of its own, which keeps regular expressions readable.
        return f"`{value}`" if ("\\" in value or '"' in value) and "`" not in value else json.dumps(value)
    if isinstance(value, Mapping):
        width = max((len(str(key)) for key in value), default=0) + 2
        entries = [f"{json.dumps(str(key)).ljust(width)} = {_value(content)}," for key, content in value.items()]
        return "{\n" + _indented("\n".join(entries)) + "\n}"
    if isinstance(value, Iterable):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value)


def _indented(text: str) -> str:
    return "\n".join(f"\t{line}" if line else "" for line in text.split("\n"))
