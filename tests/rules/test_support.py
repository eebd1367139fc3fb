"""The series that say until when components are supported."""

from datetime import UTC, date, datetime

import pytest

from config.prometheus import prometheus_files
from config.prometheus.support import SUPPORT_ENDS, support_rules
from config.support import Support, support_table
from config.versions import version_of
from images.catalogue import catalogue, tags
from tests.rules.reading import dev, rules_of


def series(given: dict[str, str], **lines: date) -> dict[tuple[str, str, str], str]:
    """(component, service, version) -> expression, for a table that knows one line of each."""
    table = {
        key: Support(lines={"3.13": until}, source="https://example.org", read=date(2026, 11, 24))
        for key, until in lines.items()
    }
    rules = [rule for group in support_rules(given, table)["groups"] for rule in group["rules"]]
    assert {rule["record"] for rule in rules} <= {SUPPORT_ENDS}
    labels = [rule["labels"] for rule in rules]
    assert all(each.keys() == {"component", "service", "version"} for each in labels)
    return {
        (each["component"], each["service"], each["version"]): rule["expr"]
        for each, rule in zip(labels, rules, strict=True)
    }


def test_a_series_is_the_last_second_of_the_last_day() -> None:
    found = series({"prometheus": "v3.13.5"}, prometheus=date(2027, 7, 31))
    last = int(datetime(2027, 7, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    assert found == {("monitoring", "prometheus", "3.13.5"): f"vector({last})"}


@pytest.mark.parametrize("tag", ["v3.14.0", "latest", ""])
def test_a_line_without_a_last_day_has_no_series(tag: str) -> None:
    assert series({"prometheus": tag}, prometheus=date(2027, 7, 31)) == {}
    assert series({"loki": "v3.13.5"}, prometheus=date(2027, 7, 31)) == {}


def test_the_servers_of_the_demo_have_none_and_their_exporters_do() -> None:
    day = date(2027, 7, 31)
    found = series(dict.fromkeys(("redis", "redis_exporter"), "3.13.1"), redis=day, redis_exporter=day)
    assert [service for _, service, _ in found] == ["redis_exporter"]


def test_what_a_stack_runs_in_place_of_the_pinned_image_is_what_counts() -> None:
    stack = dev(imageOverrides='{"prometheus": "lab/prometheus:v3.5.1-0123456789ab"}')
    files = prometheus_files(stack, tags(stack))
    found = {
        (rule.body["labels"]["service"], rule.body["labels"]["version"])
        for rule in rules_of(files)
        if rule.name == SUPPORT_ENDS
    }
    grafana = catalogue()["grafana"].reference.tag
    assert {("prometheus", "3.5.1"), ("grafana", grafana)} <= found


def test_the_table_knows_the_line_of_every_image() -> None:
    """A pin that moves to another line brings that line's last day with it."""
    table = support_table()
    pinned = {key: image.reference.tag for key, image in catalogue().items() if not image.build}
    assert set(table) == set(pinned)
    for key, tag in pinned.items():
        version = version_of(tag)
        assert version, key
        assert table[key].newest or version.line in table[key].lines, f"{key} {version.line}"
