"""Retention deletes what it must and nothing else, by stream too: on the real compactor, with lines of the past."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.logs.processes import Loki, loki
from tests.rules.reading import dev

pytestmark = pytest.mark.load

_DAY = 86_400
_PATIENCE = 400
# What is asked for is asked without the bounds that a stack has, and the compactor looks all the time.
_CHANGES = {
    "limits_config": {
        "reject_old_samples": False,
        "max_query_lookback": "0s",
        "max_query_length": "0s",
        "retention_period": "720h",
    },
    "compactor": {"compaction_interval": "5s", "apply_retention_interval": "5s", "retention_delete_delay": "1s"},
    "schema_config": {
        "configs": [
            {
                "from": "2020-01-01",
                "store": "tsdb",
                "object_store": "filesystem",
                "schema": "v13",
                "index": {"prefix": "index_", "period": "24h"},
            }
        ]
    },
    "ingester": {"chunk_idle_period": "1s", "flush_check_period": "1s"},
}
# Stream -> (age in days, whether it must be kept): 30 days are the rule, 3 for debug, 7 for Nginx at level info.
CASES = {
    ("demo", "info"): ((5, True), (29, True), (40, False)),
    ("demo", "debug"): ((2, True), (5, False)),
    ("nginx", "info"): ((6, True), (9, False)),
    ("nginx", "error"): ((9, True), (40, False)),
}


def push(store: Loki, labels: Mapping[str, str], age: int) -> None:
    """One line, so many days old."""
    when = time.time_ns() - age * _DAY * 10**9
    stream = {"stream": {"stack": "dev", **labels}, "values": [[str(when), f"{age} days old"]]}
    httpx.post(f"{store.url}/loki/api/v1/push", json={"streams": [stream]}).raise_for_status()


def kept(store: Loki) -> set[tuple[str, str, int]]:
    """(service, level, age) of the lines that are found."""
    now = time.time_ns()
    found = set()
    # A day at a time, as a query may not be longer than Loki takes at once.
    for service, level in CASES:
        answer = httpx.get(
            f"{store.url}/loki/api/v1/query_range",
            params={
                "query": f'{{service="{service}",level="{level}"}}',
                "start": now - 45 * _DAY * 10**9,
                "end": now,
                "limit": 100,
            },
            timeout=60,
        )
        assert answer.is_success, answer.text
        for stream in answer.json()["data"]["result"]:
            found |= {(service, level, int(line.split()[0])) for _, line in stream["values"]}
    return found


def chunks(store: Loki) -> list[Path]:
    """The chunks on the disk."""
    return [path for path in (store.directory / "data/chunks/fake").rglob("*") if path.is_file()]


def test_retention_deletes_by_stream(tmp_path: Path) -> None:
    expected = {(*stream, age) for stream, cases in CASES.items() for age, stays in cases if stays}
    everything = {(*stream, age) for stream, cases in CASES.items() for age, _ in cases}
    with loki(dev(), tmp_path / "loki", **_CHANGES) as store:
        # The oldest first, as what comes an hour late is refused. Each line has a chunk of its own: a chunk that is old
        # in part stays.
        for turn in range(max(len(cases) for cases in CASES.values())):
            for (service, level), cases in CASES.items():
                for age, _ in sorted(cases, reverse=True)[turn : turn + 1]:
                    push(store, {"service": service, "level": level}, age)
            httpx.post(f"{store.url}/flush", timeout=60).raise_for_status()
            time.sleep(5)
        assert kept(store) == everything
        # When Loki ends its chunks are written, and the index is a minute after it starts. What the WAL brought back
        # would be in memory, where retention does not look.
        store.stop()
        shutil.rmtree(store.directory / "data/wal")
        store.start()
        began = time.monotonic()
        while len(chunks(store)) > len(expected):
            assert time.monotonic() - began < _PATIENCE, chunks(store)
            time.sleep(5)
        print(
            f"retention: {len(everything) - len(expected)} of {len(everything)} chunks deleted after "
            f"{time.monotonic() - began:.0f} s"
        )
        # What queries know of the index is up to five minutes old, and they keep chunks that they have read.
        store.stop()
        store.start()
        assert kept(store) == expected
