"""How many streams there are, how fast lines go, and what happens to them while Loki is away under load.

`make logs-load` runs what takes long and prints the figures.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.logs.processes import Alloy, loki, shipping, wait_until
from tests.rules.reading import dev

_LINES = 50_000
_AWAY_SECONDS = 300
# In nanoseconds.
_MINUTE, _SLICE = 60 * 10**9, 10 * 10**9
_LIMITS = {"max_entries_limit_per_query": 200_000}


def line(number: int) -> str:
    """One line of the application, with a request id of its own and a secret to mask."""
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": ("info", "warn", "error")[number % 3],
            "event": "request_completed",
            "request_id": f"{number:016x}",
            "msg": f"GET /rest/v1/prices/{number} 200 for postgres://app:hunter{number}@db/app",
        }
    )


def resident_megabytes(alloy: Alloy) -> float:
    """Memory that the process holds."""
    status = Path(f"/proc/{alloy.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_request_ids_and_restarts_make_no_streams(tmp_path: Path) -> None:
    paths = {tmp_path / f"demo-{run}.log": run for run in range(50)}
    # A container that is restarted keeps its name; each of its runs has another file.
    labels = {path: {"service": "demo", "container": "monitoring-dev-demo", "source": "application"} for path in paths}
    for path, run in paths.items():
        path.write_text("".join(f"{line(run * 20 + number)}\n" for number in range(20)))
    with (
        loki(dev(), tmp_path / "loki") as store,
        shipping(Alloy(dev(), tmp_path / "alloy", f"{store.url}/loki/api/v1/push", labels)),
    ):
        wait_until(lambda: store.count('{service="demo"}') == 1000)
        assert len({json.dumps(entry.labels, sort_keys=True) for entry in store.entries('{service="demo"}')}) == 3
        assert len({entry.metadata["request_id"] for entry in store.entries('{service="demo"}')}) == 1000


@pytest.mark.load
def test_lines_per_second(tmp_path: Path) -> None:
    path = tmp_path / "demo.log"
    path.write_text("".join(f"{line(number)}\n" for number in range(_LINES)))
    agent = {path: {"service": "demo", "source": "application"}}
    with loki(dev(), tmp_path / "loki", limits_config=_LIMITS) as store:
        alloy = Alloy(dev(), tmp_path / "alloy", f"{store.url}/loki/api/v1/push", agent)
        began = time.monotonic()
        with shipping(alloy):
            wait_until(lambda: store.count('{service="demo"}') == _LINES, seconds=600)
            took, memory = time.monotonic() - began, resident_megabytes(alloy)
    print(f"\n{_LINES} lines in {took:.1f} s: {_LINES / took:.0f} lines/s, masked and read; Alloy held {memory:.0f} MB")


@pytest.mark.load
def test_nothing_is_lost_while_loki_is_away_for_five_minutes_under_load(tmp_path: Path) -> None:
    path = tmp_path / "demo.log"
    agent = {path: {"service": "demo", "source": "application"}}
    written, began = 0, time.time_ns() - _MINUTE
    with loki(dev(), tmp_path / "loki", limits_config=_LIMITS) as store:
        alloy = Alloy(dev(), tmp_path / "alloy", f"{store.url}/loki/api/v1/push", agent)
        path.touch()
        with shipping(alloy), path.open("a", buffering=1) as file:
            for phase in ("before", "away", "after"):
                if phase == "away":
                    store.stop()
                ends = time.monotonic() + (_AWAY_SECONDS if phase == "away" else 20)
                while time.monotonic() < ends:
                    file.writelines(f"{line(written + number)}\n" for number in range(20))
                    written += 20
                    time.sleep(0.1)
                if phase == "away":
                    memory = resident_megabytes(alloy)
                    store.start()
            deadline = time.monotonic() + 300
            while store.count('{service="demo"}') < written and time.monotonic() < deadline:
                time.sleep(5)
            # Ten seconds at a time: an answer with all of them would take Loki longer than it may.
            found = [
                entry.metadata["request_id"]
                for start in range(began, time.time_ns(), _SLICE)
                for entry in store.between('{service="demo"}', start, start + _SLICE, 200_000)
            ]
    print(
        f"\n{written} lines written, {len(found)} found, {len(found) - len(set(found))} twice; Loki was away for "
        f"{_AWAY_SECONDS} s, Alloy held {memory:.0f} MB then"
    )
    assert (len(set(found)), len(found)) == (written, written)
