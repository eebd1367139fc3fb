"""Alerts against a past that is known: a real Prometheus, filled with series whose every value is written here."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random

import pytest
import yaml

from ops.plan.affected import Affected, affected
from ops.plan.backtest import Limits, backtest
from ops.plan.firing import firing_spans
from ops.plan.model import Backtest, Firing, Trial
from ops.plan.rules import Rule
from tests.processes import Process, unused_port

_HOUR, _MINUTE = 3600, 60
_EVERY = 15
_LIMITS = Limits()
# The end of what is known: a whole quarter of a minute, long enough ago to be in blocks and not in the head.
END = int(time.time()) // 60 * 60 - 4 * _HOUR
# Minutes before the end between which the queue of an instance is long.
_LONG = {"a": [(180, 170), (60, 58), (54, 52)], "b": [(30, 20)]}


def _samples() -> Iterator[str]:
    for instance, spans in _LONG.items():
        for now in range(END - 6 * _HOUR, END + 1, _EVERY):
            before = (END - now) / _MINUTE
            depth = 100 if any(start >= before > end for start, end in spans) else 10
            yield f'queue_depth{{instance="{instance}"}} {depth} {now}'
    for now in range(END - 5 * _HOUR, END + 1, _EVERY):
        yield f'up{{job="queue"}} 1 {now}'


@pytest.fixture(scope="module")
def past(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that knows six hours of two queues."""
    directory = tmp_path_factory.mktemp("past")
    metrics = ["# TYPE queue_depth gauge", *_samples(), "# EOF", ""]
    metrics.insert(next(n for n, line in enumerate(metrics) if line.startswith("up{")), "# TYPE up gauge")
    (directory / "past.txt").write_text("\n".join(metrics))
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", directory / "past.txt", directory / "data"]
    subprocess.run(list(map(str, blocks)), check=True, capture_output=True)
    (directory / "prometheus.yml").write_text("scrape_configs: []\n")
    options = [f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
    process = Process(["prometheus", *options], directory / "log")
    try:
        yield process.url
    finally:
        process.stop()


def _rule(expr: str = "queue_depth > 50", **waits: str) -> Rule:
    return Rule("queue.yml", "queue", "", "alert", "QueueLong", expr, waits, {"priority": "P2"})


def _tried(url: str, *alerts: Affected, window: float = 6 * _HOUR, limits: Limits = _LIMITS) -> Backtest:
    return backtest(url, window, alerts, interval=_EVERY, limits=limits, now=lambda: END)


def _trial(url: str, old: Rule | None, new: Rule, limits: Limits = _LIMITS) -> Trial:
    found = _tried(url, Affected(old, new), limits=limits)
    assert len(found.trials) == 1, found.problem
    return found.trials[0]


def test_each_time_an_alert_would_have_fired_is_counted(past: str) -> None:
    """Without a wait: ten minutes, two and two of the one, ten of the other."""
    assert _trial(past, None, _rule()).after == Firing(4, 24 * _MINUTE, 10 * _MINUTE, 2)


def test_it_fires_after_its_wait_and_until_the_first_look_that_finds_nothing(past: str) -> None:
    waits = {"for": "5m"}
    assert _trial(past, None, _rule(**waits)).after == Firing(2, 10 * _MINUTE, 5 * _MINUTE, 2)


def test_what_keeps_firing_is_one_time(past: str) -> None:
    """Two bursts with four minutes between them: one time that ends five minutes after the second."""
    waits = {"for": "1m", "keep_firing_for": "5m"}
    expected = Firing(3, (14 + 12 + 14) * _MINUTE, 14 * _MINUTE, 2)
    assert _trial(past, None, _rule(**waits)).after == expected


def test_before_and_after_stand_side_by_side(past: str) -> None:
    trial = _trial(past, _rule(), _rule("queue_depth > 200"))
    assert trial.before == Firing(4, 24 * _MINUTE, 10 * _MINUTE, 2)
    assert trial.after == Firing(0, 0, 0, 0)


def test_what_one_evaluation_costs_is_told(past: str) -> None:
    trial = _trial(past, None, _rule())
    assert trial.cost_samples == 2
    assert trial.cost_seconds is not None
    assert 0 < trial.cost_seconds < 1


def test_of_a_shorter_past_it_is_said_how_much_there_is(past: str) -> None:
    found = _tried(past, Affected(None, _rule()), window=8 * _HOUR)
    assert abs(found.covered - 5 * _HOUR) < _MINUTE


def test_a_long_window_is_asked_for_piece_by_piece(past: str) -> None:
    """6 h by the second are 21,600 points, and Prometheus gives 11,000: the figure is that of a shorter look."""
    found = backtest(past, 6 * _HOUR, [Affected(None, _rule())], interval=1, limits=_LIMITS, now=lambda: END)
    assert found.trials[0].step == 1
    assert found.trials[0].after == Firing(4, 24 * _MINUTE, 10 * _MINUTE, 2)


def test_beyond_the_points_that_are_allowed_it_is_looked_at_less_often_and_that_is_said(past: str) -> None:
    trial = _trial(past, None, _rule(), limits=Limits(points=100))
    assert trial.step == 216
    assert "shorter than a look at it, it is not seen" in trial.note


def test_beyond_the_queries_that_are_allowed_nothing_is_asked_and_what_is_left_is_named(past: str) -> None:
    further = [Affected(None, replace(_rule("queue_depth > 60"), name=f"Further{number}")) for number in range(8)]
    found = _tried(past, Affected(None, _rule()), *further, limits=Limits(queries=6))
    (trial,) = found.trials
    assert trial.after
    assert found.problem == (
        "not tried, as 6 queries and 60 s are the limit of what is asked: "
        "Further0, Further1, Further2, Further3, Further4, Further5 and 2 more"
    )


def test_a_series_that_is_not_there_is_named(past: str) -> None:
    trial = _trial(past, None, _rule('queue_depth > 50 and on () queue_age_seconds{job="queue"} > 9'))
    assert trial.after == Firing(0, 0, 0, 0)
    assert trial.note == "it had no series queue_age_seconds in that time, so this says little"


def test_an_expression_that_is_wrong_is_told_with_prometheus_own_words(past: str) -> None:
    trial = _trial(past, None, _rule("sum(("))
    assert trial.after is None
    assert trial.note.startswith("not tried: invalid parameter")


def test_nothing_is_asked_where_no_alert_changes() -> None:
    assert backtest("http://127.0.0.1:1", 60, [], interval=15, limits=_LIMITS) == Backtest("http://127.0.0.1:1", 60)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://user:hunter2@127.0.0.1:{port}"])
def test_a_prometheus_that_does_not_answer_is_one_line_without_its_password(url: str) -> None:
    found = _tried(url.format(port=unused_port()), Affected(None, _rule()))
    assert found.problem.startswith("nothing was tried: it does not answer: ")
    assert "\n" not in found.problem
    assert found.trials == ()
    assert "hunter2" not in str(found)


class _Page(BaseHTTPRequestHandler):
    """Somebody else's server."""

    body = b"<html>"

    def do_POST(self) -> None:
        """Give the page, whatever is asked."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _tried_on_a_page() -> Backtest:
    """What is found of a rule where a server answers with _Page, whatever it is asked."""
    server = HTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return _tried(f"http://127.0.0.1:{server.server_port}", Affected(None, _rule()))
    finally:
        server.shutdown()


@pytest.mark.parametrize("body", [b"<html>", b"[]", json.dumps({"status": "error"}).encode()])
def test_a_server_that_is_no_prometheus_is_one_line(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Page, "body", body)
    found = _tried_on_a_page()
    assert found.problem == "nothing was tried: it does not answer as a Prometheus does"


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.plan.backtest._BYTES", 1_000)
    monkeypatch.setattr(_Page, "body", b"x" * 5_000)
    found = _tried_on_a_page()
    assert found.problem.startswith("nothing was tried: its answer is longer than")


def test_a_recording_rule_that_changes_too_is_tried_as_the_change_has_it(past: str) -> None:
    """No Prometheus has recorded it yet; the series of today would say nothing of the alert."""
    alert = _rule("queue:depth:max > 50 and queue:depth:max{instance='a'} > 0")
    before, after = (
        [replace(alert, kind="record", name="queue:depth:max", expr=expr, waits={}, labels={}), alert]
        for expr in ("queue_depth * 0", "queue_depth")
    )
    (found,) = affected(before, after)
    assert found.after.expr == "(queue_depth) > 50 and queue:depth:max{instance='a'} > 0"
    assert found.as_today == ("queue:depth:max",)
    (trial,) = _tried(past, found).trials
    assert "queue:depth:max as recorded until now" in trial.note
    plain = (
        [before[0], replace(alert, expr="queue:depth:max > 50")],
        [after[0], replace(alert, expr="queue:depth:max > 50")],
    )
    (trial,) = _tried(past, *affected(*plain)).trials
    assert trial.after == Firing(4, 24 * _MINUTE, 10 * _MINUTE, 2)
    assert "as recorded" not in trial.note


@pytest.mark.parametrize(("hold", "keep"), [(0, 0), (3, 0), (0, 2), (2, 3), (5, 1)])
@pytest.mark.parametrize("seed", [1, 2])
def test_an_alert_fires_when_prometheus_says_that_it_fires(
    tools: Path, tmp_path: Path, hold: int, keep: int, seed: int
) -> None:
    """Minute by minute over two hours of chance, as promtool evaluates the same rule."""
    chance = Random(seed)
    active: list[bool] = []
    while len(active) < 120:
        active += [chance.random() < 0.5] * chance.randint(1, 8)
    looks = list(range(len(active)))
    spans = firing_spans({minute for minute in looks if active[minute]}, looks, hold, keep)
    rule = {"alert": "A", "expr": "x == 1", "for": f"{hold}m", "keep_firing_for": f"{keep}m"}
    fires = {minute: any(start <= minute < end for start, end in spans) for minute in looks[:-1]}
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": "x", "values": " ".join(str(int(one)) for one in active)}],
                "alert_rule_test": [
                    {"eval_time": f"{minute}m", "alertname": "A", "exp_alerts": [{}] if fires[minute] else []}
                    for minute in fires
                ],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert any(fires.values())
