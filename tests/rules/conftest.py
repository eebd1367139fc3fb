"""The files of Prometheus as a container sees them."""

import os
import shutil
from pathlib import Path

import pytest

from config.scrape import prometheus_files
from tests.rules.reading import CASES, dev


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of a demo stack, and the cases beside them, which name rule files relative to it."""
    directory = tmp_path_factory.mktemp("prometheus")
    write(directory, prometheus_files(dev()))
    for case in CASES.glob("*.yml"):
        shutil.copy(case, directory / f"case-{case.name}")
    return directory


@pytest.fixture(scope="session")
def prometheus_url(request: pytest.FixtureRequest) -> str:
    """Address of the Prometheus of a running demo stack: MONITORING_PROMETHEUS_URL, else of the tests' own stack."""
    if url := os.environ.get("MONITORING_PROMETHEUS_URL"):
        return url
    return str(request.getfixturevalue("stack").url("prometheus"))


def write(directory: Path, files: dict[str, str]) -> None:
    """Write files by their path relative to `directory`."""
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
