"""Promtail for the tests that are marked so."""

import pytest


@pytest.fixture(autouse=True)
def _promtail_where_it_is_needed(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("promtail"):
        request.getfixturevalue("promtail")
