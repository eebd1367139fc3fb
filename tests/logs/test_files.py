"""Lines of files: whatever happens to the file, to the agent's own disk or to Loki, each arrives once."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.logs.containers import numbers, wait_for_numbers
from tests.logs.processes import Alloy, Loki, loki, shipping, wait_until
from tests.rules.reading import dev

_LIMITS = {"max_entries_limit_per_query": 200_000}
_LABELS = {"service": "file", "component": "test", "source": "container"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Loki]:
    with loki(dev(), tmp_path / "loki", limits_config=_LIMITS) as made:
        yield made


@contextmanager
def agent(store: Loki, directory: Path, path: Path) -> Iterator[Alloy]:
    """An Alloy that reads one file."""
    made = Alloy(dev(), directory, f"{store.url}/loki/api/v1/push", {path: _LABELS})
    with shipping(made):
        yield made


def add(path: Path, first: int, last: int) -> None:
    """Write numbered lines."""
    with path.open("a") as file:
        file.writelines(f"line {number} of a file\n" for number in range(first, last + 1))


def test_a_file_is_rotated_by_rename_and_by_truncation(store: Loki, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    with agent(store, tmp_path / "alloy", path):
        add(path, 1, 500)
        wait_until(lambda: len(numbers(store, "file")) == 500)
        # As logrotate does: the writer goes on in the renamed file until it is told to open the new one.
        path.rename(tmp_path / "app.log.1")
        add(tmp_path / "app.log.1", 501, 600)
        add(path, 601, 1000)
        wait_until(lambda: len(numbers(store, "file")) == 1000)
        # With `copytruncate`: what was read is gone, and new lines begin at the beginning.
        path.write_text("")
        time.sleep(2)
        add(path, 1001, 1100)
        found = wait_for_numbers(store, "file", 1100)
    assert found == Counter(range(1, 1101))


def test_the_agents_disk_is_full_for_a_while(store: Loki, tmp_path: Path) -> None:
    path, disk = tmp_path / "app.log", tmp_path / "alloy/data"
    disk.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    try:
        with agent(store, tmp_path / "alloy", path) as alloy:
            add(path, 1, 500)
            wait_until(lambda: len(numbers(store, "file")) == 500)
            subprocess.run(["dd", "if=/dev/zero", f"of={disk / 'ballast'}"], capture_output=True, check=False)
            add(path, 501, 1000)
            # It tries to keep its positions every 10 seconds, and cannot.
            time.sleep(12)
            (disk / "ballast").unlink()
            add(path, 1001, 1200)
            wait_until(lambda: len(numbers(store, "file")) == 1200)
            alloy.stop()
            alloy.start()
            add(path, 1201, 1300)
            found = wait_for_numbers(store, "file", 1300)
    finally:
        subprocess.run(["umount", str(disk)], check=False)
    assert found == Counter(range(1, 1301))
