"""The log pipeline: what changes in sources of lines, in how they are read, and in what is masked in them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from config.durations import seconds
from ops.plan.compare import differences, pairs, shown
from ops.plan.model import Change, Detail

_OPENING = re.compile(r'([a-z_.]+)(?: "(\w+)")? \{')
_ATTRIBUTE = re.compile(r"(\w+)\s+= (.*)")
_MASKED = re.compile(r"\[masked (.+)\]")
_SELECTED = re.compile(r'\{source="(.+)"\}')


@dataclass(frozen=True)
class Block:
    """A block of Alloy's language: its name and label, its attributes as they are written, and the blocks in it."""

    name: str
    label: str
    attributes: Mapping[str, str]
    inside: tuple["Block", ...]


def alloy_changes(before: str, after: str) -> Iterator[Change]:
    """What changes between two texts of config.alloy, as config/logs/alloy.py writes it."""
    old, new = read(before), read(after)
    yield from _of_masks(_masks(old), _masks(new))
    was, becomes = _sources(old), _sources(new)
    for name in [*was, *(name for name in becomes if name not in was)]:
        if name not in becomes:
            yield Change("removed", "log source", name, note="lines of it get no label of it any more")
        elif name not in was:
            yield Change("added", "log source", name, (Detail("found by", "", shown(becomes[name])),))
        elif was[name] != becomes[name]:
            yield Change("changed", "log source", name, (Detail("found by", shown(was[name]), shown(becomes[name])),))
    reading, other = _readings(old), _readings(new)
    for name in [*reading, *(name for name in other if name not in reading)]:
        if reading.get(name) != other.get(name):
            steps = tuple(_of_stages(reading.get(name, ()), other.get(name, ())))
            yield Change("changed", "reading of log lines", name, steps)
    yield from _of_rest(old, new)


def read(text: str) -> tuple[Block, ...]:
    """The blocks of a text in Alloy's language that is formatted as `alloy fmt` does."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("//")]
    return _blocks(lines, "")[1]


def _blocks(lines: list[str], indent: str) -> tuple[dict[str, str], tuple[Block, ...]]:
    """The attributes and blocks of lines that are indented by `indent`; what is deeper belongs to the one above."""
    attributes: dict[str, str] = {}
    blocks: list[Block] = []
    at = 0
    while at < len(lines):
        line = lines[at].removeprefix(indent)
        end = at + 1
        while end < len(lines) and lines[end].startswith(f"{indent}\t"):
            end += 1
        opening = _OPENING.fullmatch(line)
        if opening:
            inner, inside = _blocks(lines[at + 1 : end], f"{indent}\t")
            blocks.append(Block(opening.group(1), opening.group(2) or "", inner, inside))
        elif attribute := _ATTRIBUTE.fullmatch(line):
            more = [deeper.strip() for deeper in lines[at + 1 : end]]
            closing = [lines[end].strip()] if more and end < len(lines) else []
            attributes[attribute.group(1)] = " ".join([attribute.group(2), *more, *closing])
        at = end
    return attributes, tuple(blocks)


def promtail_changes(before: str, after: str) -> Iterator[Change]:
    """What changes between two texts of Promtail's configuration, value by value."""
    details = differences(yaml.safe_load(before) or {}, yaml.safe_load(after) or {})
    if details:
        yield Change("changed", "log pipeline", "promtail", details)


def loki_changes(before: str, after: str) -> Iterator[Change]:
    """What changes between two texts of loki.yaml, value by value."""
    details = differences(_settings(before), _settings(after))
    if details:
        yield Change("changed", "settings", "loki.yaml", details)


def shorter_retention(before: str, after: str) -> Iterator[str]:
    """Which log lines are deleted sooner by another loki.yaml. Raises yaml.YAMLError where one is no YAML."""
    limits = [(_settings(text).get("limits_config") or {}) for text in (before, after)]
    old, new = ({"all lines": one.get("retention_period"), **one["retention of"]} for one in limits)
    for which in new:
        was, becomes = old.get(which) or old["all lines"], new[which]
        if was and becomes and seconds(str(becomes)) < seconds(str(was)):
            yield f"loki keeps {which} for {becomes} in place of {was}: older ones are deleted"


def _settings(text: str) -> Any:
    """Loki's configuration, with the retention of single streams by their selector."""
    document = yaml.safe_load(text) or {}
    limits = document.setdefault("limits_config", {})
    streams = limits.pop("retention_stream", None) or []
    limits["retention of"] = {stream["selector"]: stream["period"] for stream in streams}
    return document


def _of_masks(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> Iterator[Change]:
    for was, becomes in pairs(old, new, lambda mask: mask[0]):
        if was and becomes:
            yield Change("changed", "log mask", was[0], (Detail("expression", was[1], becomes[1]),))
        elif becomes:
            yield Change("added", "log mask", becomes[0], (Detail("expression", "", becomes[1]),))
        elif was:
            note = "what it found stands in the log lines from then on"
            yield Change("removed", "log mask", was[0], (Detail("expression", was[1], ""),), note)


def _stages(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        if block.name == "loki.process":
            yield from block.inside


def _masks(blocks: Iterable[Block]) -> list[tuple[str, str]]:
    """Name and expression of each mask."""
    return [
        (found.group(1), _unquoted(stage.attributes["expression"]))
        for stage in _stages(blocks)
        if stage.name == "stage.replace" and (found := _MASKED.fullmatch(_unquoted(stage.attributes["replace"])))
    ]


def _sources(blocks: Iterable[Block]) -> dict[str, list[str]]:
    """Name of each source -> what its containers and files are found by."""
    found: dict[str, list[str]] = {}
    for block in blocks:
        for rule in block.inside if block.name == "loki.relabel" else ():
            if _unquoted(rule.attributes.get("target_label", "")) == "source" and "regex" in rule.attributes:
                name = _unquoted(rule.attributes["replacement"])
                found.setdefault(name, []).append(_unquoted(rule.attributes["regex"]))
        if block.name == "local.file_match":
            for path, name in re.findall(r'"__path__"\s*= "(.*?)",.*?"source"\s*= "(.*?)"', str(block.attributes)):
                found.setdefault(name, []).append(path)
        if block.name == "loki.source.journal":
            found.setdefault("journal", []).append(_unquoted(block.attributes["path"]))
    return found


def _readings(blocks: Iterable[Block]) -> dict[str, tuple[Block, ...]]:
    """Name of each source -> the stages that its lines alone go through; those of every line by "every source"."""
    found: dict[str, tuple[Block, ...]] = {}
    for stage in _stages(blocks):
        selected = _SELECTED.fullmatch(_unquoted(stage.attributes.get("selector", "")))
        if selected:
            found[selected.group(1)] = (*found.get(selected.group(1), ()), *stage.inside)
        elif not (stage.name == "stage.replace" and _MASKED.search(stage.attributes["replace"])):
            found["every source"] = (*found.get("every source", ()), stage)
    return found


def _of_stages(old: tuple[Block, ...], new: tuple[Block, ...]) -> Iterator[Detail]:
    for was, becomes in pairs(old, new, lambda stage: stage.name):
        name = (becomes or was or old[0]).name.removeprefix("stage.")
        if was and becomes and set(was.attributes) == set(becomes.attributes) and was.inside == becomes.inside:
            yield from differences(_values(was), _values(becomes), name)
        else:
            yield Detail(name, shown(_values(was)) if was else "", shown(_values(becomes)) if becomes else "")


def _of_rest(old: tuple[Block, ...], new: tuple[Block, ...]) -> Iterator[Change]:
    """What is neither a mask, nor a source, nor how one is read."""
    told = {"loki.process", "local.file_match"}
    for was, becomes in pairs(_but(old, told), _but(new, told), lambda block: (block.name, block.label)):
        block = becomes or was
        assert block
        title = f"{block.name} {block.label}".strip()
        if was and becomes:
            details = [*differences(_values(was), _values(becomes)), *_of_inner(_inner(was), _inner(becomes))]
            if details:
                yield Change("changed", "log pipeline", title, tuple(details))
        else:
            yield Change("added" if becomes else "removed", "log pipeline", title)


def _inner(block: Block) -> list[Block]:
    """The blocks inside, without the rules that find a source, which are told as such."""
    told = ("source", "component")
    return [inner for inner in block.inside if _unquoted(inner.attributes.get("target_label", "")) not in told]


def _of_inner(old: list[Block], new: list[Block]) -> Iterator[Detail]:
    for was, becomes in pairs(old, new, lambda block: block.name, lambda block: block.attributes.get("target_label")):
        if was and becomes:
            yield from differences(_values(was), _values(becomes), becomes.name)
        else:
            yield Detail(
                (becomes or old[0]).name, shown(_values(was)) if was else "", shown(_values(becomes)) if becomes else ""
            )


def _but(blocks: Iterable[Block], names: set[str]) -> list[Block]:
    return [block for block in blocks if block.name not in names]


def _values(block: Block) -> dict[str, str]:
    return {key: _unquoted(value) for key, value in block.attributes.items()}


def _unquoted(value: str) -> str:
    for quote in ('"', "`"):
        if len(value) > 1 and value.startswith(quote) and value.endswith(quote):
            return value[1:-1]
    return value
