"""The table of faults: what it promises exists, and it covers what it must."""

import inspect

import pytest

from config.prometheus import prometheus_files
from demo.knob_table import KNOBS
from demo.knobs import Knobs
from ops.drills.drill import _conflict, drillable
from ops.drills.faults import EVERYTHING, FAULTS, Fault
from tests.rules.reading import dev, rules_of, written_log_rules
from tests.rules.test_rules import COMPONENTS

RULES = {rule.name: rule for rule in [*rules_of(prometheus_files(dev())), *written_log_rules()] if rule.is_alert}


def knobs_of(fault: Fault) -> dict[str, object]:
    """What a fault turns, empty where it works by other means."""
    closure = inspect.getclosurevars(inspect.unwrap(fault.make)).nonlocals
    return dict(closure.get("changes", {}))


def test_every_alert_of_the_table_is_a_rule_and_stands_there_once() -> None:
    named = [alert for fault in FAULTS for alert in fault.alerts]
    assert len(named) == len(set(named)) == len(drillable())
    assert set(named) <= set(RULES)


def test_the_table_covers_every_component_every_down_and_enough() -> None:
    assert len(drillable()) >= 25
    assert {name for name in RULES if name.endswith("Down")} <= set(drillable())
    # ServiceDown is drilled by node_exporter, whose component is the host's.
    components = {RULES[name].body["labels"].get("component", "system") for name in drillable()}
    assert components == COMPONENTS


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_knobs_exist_and_take_the_values(fault: Fault) -> None:
    changes = knobs_of(fault)
    Knobs().change(changes)
    defaults = {knob.name: knob.default for knob in KNOBS}
    assert all(defaults[name] != value for name, value in changes.items())


def test_most_faults_are_knobs() -> None:
    assert sum(bool(knobs_of(fault)) for fault in FAULTS) >= 25


def test_two_faults_turn_no_knob_at_once() -> None:
    turned: dict[str, Fault] = {}
    for fault in FAULTS:
        for name in knobs_of(fault):
            assert name not in turned or _conflict(fault, turned[name]), name
            turned[name] = fault


def test_what_is_alone_waits_for_what_it_touches() -> None:
    kong = [fault for fault in FAULTS if "kong" in fault.touches]
    down = next(fault for fault in FAULTS if "KongDown" in fault.alerts)
    gentle = [fault for fault in kong if not fault.alone]
    assert all(_conflict(down, fault) for fault in gentle)
    assert not any(_conflict(one, other) for one in gentle for other in gentle)
    assert not _conflict(down, next(fault for fault in FAULTS if "RedisDown" in fault.alerts))


def test_what_stops_the_notifications_is_alone_with_all() -> None:
    [last] = [fault for fault in FAULTS if fault.touches == EVERYTHING]
    assert all(_conflict(last, fault) for fault in FAULTS)
