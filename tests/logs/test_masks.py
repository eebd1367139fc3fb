"""Secrets of the known shapes do not reach Loki; what only looks like one does."""

import re
from pathlib import Path

import pytest

from config.logs.masks import MASKS
from config.logs.pipeline import stages
from config.logs.sources import SOURCES
from tests.logs.processes import Alloy, Promtail, loki, shipping, wait_until
from tests.logs.secrets_made import harmless, secrets
from tests.logs.test_lines import AGENTS
from tests.rules.reading import dev

_COUNT = 200


@pytest.mark.parametrize("agent", AGENTS)
def test_no_secret_is_found_and_nothing_else_is_lost(agent: type[Alloy] | type[Promtail], tmp_path: Path) -> None:
    bad, good = secrets(_COUNT), harmless(_COUNT)
    files = {"bad.log": [line for line, _ in bad], "good.log": good}
    labels = {tmp_path / name: {"service": name.split(".")[0], "source": "container"} for name in files}
    for name, lines in files.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    stack = dev()
    with (
        loki(stack, tmp_path / "loki") as store,
        shipping(agent(stack, tmp_path / "agent", f"{store.url}/loki/api/v1/push", labels)),
    ):
        wait_until(lambda: store.count('{service=~"bad|good"}') >= 2 * _COUNT)
        masked = {entry.line[:3]: entry for entry in store.entries('{service="bad"}')}
        kept = {entry.line[:3]: entry.line for entry in store.entries('{service="good"}')}
    assert len(masked) == _COUNT
    leaked = [line for line, secret in bad if secret in str(masked[line[:3]])]
    assert leaked == []
    assert [entry.line for entry in masked.values() if "[masked " not in entry.line] == []
    # What stands around a secret stays, so that the line can still be read.
    assert [line for line, secret in bad if not masked[line[:3]].line.startswith(line[: line.index(secret)])] == []
    assert [line for line in good if kept[line[:3]] != line] == []


def test_every_mask_is_used_by_a_secret() -> None:
    lines = [line for line, _ in secrets(_COUNT)]
    assert [mask.expression for mask in MASKS if not any(re.search(mask.expression, line) for line in lines)] == []


def test_what_is_read_of_a_line_is_read_after_it_is_masked() -> None:
    kinds = [(stage.kind, [inside.kind for inside in stage.inside]) for stage in stages(dev())]
    first = next(place for place, (kind, _) in enumerate(kinds) if kind == "replace")
    last = max(place for place, (kind, _) in enumerate(kinds) if kind == "replace")
    assert all(inside == ["multiline"] for _, inside in kinds[:first])
    assert all(kind != "match" or "multiline" not in inside for kind, inside in kinds[last:])
    assert len([kind for kind, _ in kinds if kind == "match"]) >= len(SOURCES)
