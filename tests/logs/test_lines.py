"""A line of each kind of source arrives as it must: labels, metadata, time; and soon."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.logs.source import Journal
from config.logs.sources import SOURCES
from config.logs.table import PAGE, page
from tests.logs.processes import Alloy, Entry, Promtail, loki, shipping, wait_until
from tests.logs.samples import SAMPLES, Sample, times
from tests.rules.reading import dev

# Seconds within which a line must be found.
_SOON = 10
AGENTS = [pytest.param(Alloy, id="alloy"), pytest.param(Promtail, id="promtail", marks=pytest.mark.promtail)]


def expected_time(sample: Sample, written: datetime) -> int | None:
    """The time in nanoseconds that the sample's entry must have; None where it is Docker's."""
    if not sample.stamp:
        return None
    unit = {"milliseconds": 1_000_000, "seconds": 1_000_000_000}[sample.stamp]
    return int(written.timestamp() * 1000) * 1_000_000 // unit * unit


@pytest.mark.parametrize("agent", AGENTS)
def test_a_line_of_each_source_is_found_as_it_must_be(agent: type[Alloy] | type[Promtail], tmp_path: Path) -> None:
    # A time of its own for each, in the past: that of the line is meant, and not that of its arrival.
    began = datetime.now(UTC).replace(microsecond=123_000) - timedelta(minutes=30)
    files = {tmp_path / f"{number}.log": sample for number, sample in enumerate(SAMPLES)}
    labels = {
        path: {"service": f"service-{path.stem}", "component": "test", "source": sample.source, "container": path.stem}
        for path, sample in files.items()
    }
    moments = {path: began + timedelta(seconds=number) for number, path in enumerate(files)}
    # Promtail is not ready before it has found a file.
    for path in files:
        path.touch()
    stack = dev()
    with (
        loki(stack, tmp_path / "loki") as store,
        shipping(agent(stack, tmp_path / "agent", f"{store.url}/loki/api/v1/push", labels)),
    ):
        written = time.monotonic()
        for path, sample in files.items():
            with path.open("a") as file:
                file.write(sample.text.format(**times(moments[path])) + "\n")
        wait_until(lambda: store.count('{component="test"}') >= len(files), seconds=30)
        took = time.monotonic() - written
        found = {entry.labels["container"]: entry for entry in store.entries('{component="test"}')}
    assert differences(found, files, moments) == []
    assert took < _SOON


def differences(
    found: dict[str, Entry], files: dict[Path, Sample], moments: dict[Path, datetime]
) -> list[tuple[str, object, object]]:
    """What is not as it must be: (which, expected, found)."""
    wrong: list[tuple[str, object, object]] = []
    for path, sample in files.items():
        entry = found[path.stem]
        about = f"{path.stem} ({sample.source})"
        labels = {key: value for key, value in entry.labels.items() if key not in ("service_name",)}
        expected_labels = {
            "stack": "dev",
            "service": f"service-{path.stem}",
            "component": "test",
            "container": path.stem,
            **({"level": sample.level} if sample.level else {}),
        }
        metadata = {key: value for key, value in entry.metadata.items() if key != "detected_level"}
        expected_metadata = {"source": sample.source, **sample.metadata}
        moment = expected_time(sample, moments[path])
        text = sample.text.format(**times(moments[path]))
        wrong += [
            (f"{about}: {what}", expected, got)
            for what, expected, got in (
                ("labels", expected_labels, labels),
                ("metadata", expected_metadata, metadata),
                (
                    "line",
                    [line.strip() for line in text.split("\n")],
                    [line.strip() for line in entry.line.split("\n")],
                ),
                ("time", moment or entry.time, entry.time),
            )
            if expected != got
        ]
    return wrong


def test_every_source_has_a_sample() -> None:
    read = {source.name for source in SOURCES if not isinstance(source.found, Journal)}
    assert {sample.source for sample in SAMPLES} == read


def test_a_sources_name_and_metadata_are_plain_words() -> None:
    for source in SOURCES:
        assert source.name.replace("-", "").isalnum(), source.name
        assert all(name.isidentifier() for name in source.metadata), source.name
        assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_the_handbook_lists_every_source_as_it_is() -> None:
    text = PAGE.read_text()
    assert page(text) == text
