"""What some queries of the dashboards give, asked of Prometheus' own engine through promtool."""

import subprocess
from pathlib import Path

import yaml

from tests.unit.drawn import dashboards, panels, queries

Series = dict[str, str]
Sample = dict[str, str | float]


def asked(tmp_path: Path, expr: str, series: Series, expected: list[Sample]) -> None:
    """`expr` gives `expected` one hour after `series` (selector -> values of each minute) began."""
    file = tmp_path / "case.yml"
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expr, "eval_time": "60m", "exp_samples": expected}],
    }
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [case]}))
    result = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def query(panel: str, number: int = 0) -> str:
    """The query `number` of the database's or every page's `panel`."""
    found = [each.expr for each in queries() if each.dashboard == "database" and each.panel == panel]
    return found[number]


# ----------------------------------------------------------------------------------------------------------------------
# What has fired


def test_that_nothing_has_fired_is_said_in_words(tmp_path: Path) -> None:
    asked(tmp_path, query("What has fired"), {}, [{"labels": '{alertname="Nothing fires"}', "value": 0}])
    (panel,) = [panel for panel in panels(dashboards()["database"]) if panel["title"] == "What has fired"]
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert mapping["options"]["0"]["text"] == "nothing"
    assert panel["targets"][0]["legendFormat"] == "{{alertname}}"


def test_what_fires_is_drawn_by_its_priority_and_then_nothing_else(tmp_path: Path) -> None:
    firing = 'ALERTS{{alertname="{}",alertstate="firing",priority="{}",component="database"}}'
    asked(
        tmp_path,
        query("What has fired"),
        {firing.format("One", "P1"): "1x60", firing.format("Three", "P3"): "1x60"},
        [{"labels": '{alertname="One"}', "value": 3}, {"labels": '{alertname="Three"}', "value": 1}],
    )


# ----------------------------------------------------------------------------------------------------------------------
# Statements

_WHO = 'user="app",datname="app",queryid="{}",instance="{}"'


def statements(*texts: str) -> Series:
    """Two statements on two servers, of which the first has these texts, one a server, and the second has none."""
    series = {}
    for number, seconds in (("1", "0+6x60"), ("2", "0+3x60")):
        for instance in ("postgres:5432", "postgres-replica:5432"):
            labels = _WHO.format(number, instance)
            series[f"pg_stat_statements_seconds_total{{{labels}}}"] = seconds
            series[f"pg_stat_statements_calls_total{{{labels}}}"] = "0+60x60"
    for server, text in enumerate(texts):
        series[f'pg_statement_info{{queryid="1",instance="{server}",statement="{text}"}}'] = "1x60"
    return series


def row(number: str, value: float, statement: str = "") -> Sample:
    text = f', statement="{statement}"' if statement else ""
    return {"labels": f'{{datname="app", queryid="{number}", user="app"{text}}}', "value": value}


def test_a_statement_has_its_text_and_one_without_is_not_lost(tmp_path: Path) -> None:
    total = query("Statements that take the most time", 2)
    asked(tmp_path, total, statements("SELECT $1", "SELECT $1"), [row("1", 720, "SELECT $1"), row("2", 360)])


def test_a_statement_that_two_servers_spell_differently_is_one_row(tmp_path: Path) -> None:
    rows = f"count by (queryid) ({query('Statements that take the most time', 2)})"
    expected: list[Sample] = [{"labels": f'{{queryid="{number}"}}', "value": 1} for number in (1, 2)]
    asked(tmp_path, rows, statements("SELECT $1", "SELECT  $1"), expected)


def test_a_statement_has_its_calls_and_their_mean_time(tmp_path: Path) -> None:
    panel = "Statements that take the most time"
    asked(tmp_path, query(panel, 0), statements(), [row("1", 7200), row("2", 7200)])
    asked(tmp_path, query(panel, 1), statements(), [row("1", 0.1), row("2", 0.05)])
