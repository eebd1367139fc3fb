"""The files of Prometheus as a container sees them."""

import os
from pathlib import Path

import pytest
import yaml

from config.prometheus import prometheus_files
from images.catalogue import tags
from tests.rules.reading import CASES, dev


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of a demo stack."""
    directory = tmp_path_factory.mktemp("prometheus")
    write(directory, prometheus_files(dev(), tags(dev())))
    return directory


@pytest.fixture(scope="session", params=["recordings first", "alerts first"])
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the cases, and the rules of a demo stack beside them, evaluated in a fixed order.

    Prometheus evaluates the groups beside each other, and promtool in an order of its own at each run: what holds
    must hold in both orders. promtool orders groups by their names, so here they get some that tell them apart.
    """
    files = prometheus_files(dev())
    order = []
    for path in sorted(path for path in files if path.startswith("rules/")):
        document = yaml.safe_load(files[path])
        for group in document["groups"]:
            group["name"] = f"{group['name']} {'alerts' if 'alert' in group['rules'][0] else 'recordings'}"
            order.append(group["name"])
        files[path] = yaml.safe_dump(document)
    first = request.param.split()[0]
    order.sort(key=lambda name: not name.endswith(first))
    for case in CASES.glob("*.yml"):
        files[case.name] = yaml.safe_dump({**yaml.safe_load(case.read_text()), "group_eval_order": order})
    directory = tmp_path_factory.mktemp("cases")
    write(directory, files)
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
