"""The command that measures how often compare.py errs."""

import json
from pathlib import Path

import numpy as np
import pytest

from local.loadtest.blocks import blocks_of
from tests.measure import compare_power
from tests.measure.compare_power import (
    Case,
    Row,
    calm,
    cases,
    command,
    later,
    measure,
    most_alarms,
    server_targets,
    targets_of,
)
from tests.support.runs import make_run, steady
from tests.support.synthetic import lognormal, single_server

CALM = Case("20 s of 20/s", "30 ms", calm(steady(20, 20), 0, 0), has_power=True)


def row(false_alarms: float, power: float) -> Row:
    return Row(CALM, 30, 60, 400, false_alarms, 0.0, 0.1, {5: power, 20: 1.0})


def missed(found: Row) -> list[str]:
    targets, figures = targets_of([found])
    return [target.name for target in targets if not target.is_met(figures[target.name])]


def test_false_alarms_may_exceed_the_error_by_chance_only() -> None:
    assert most_alarms(400) == pytest.approx(0.0827, abs=0.0001)
    assert missed(row(0.08, 1.0)) == []
    assert missed(row(0.09, 1.0)) == ["false alarms, 20 s of 20/s; 30 ms"]


def test_low_power_is_missed() -> None:
    assert missed(row(0.05, 0.79)) == ["power at +5 ms, 20 s of 20/s; 30 ms"]


def test_equal_runs_must_end_with_0_and_slower_ones_with_3() -> None:
    targets, figures = server_targets([("+0 ms", 0), ("+5 ms", 3)])
    assert all(target.is_met(figures[target.name]) for target in targets)
    targets, figures = server_targets([("+0 ms", 3), ("+5 ms", 0)])
    assert not any(target.is_met(figures[target.name]) for target in targets)


def test_pairs_are_measured() -> None:
    calls: list[int] = []
    found = measure(CALM, 3, lambda: calls.append(1))
    assert len(calls) == found.pairs == 3
    assert found.power[20] == 1
    assert found.regressions <= found.false_alarms <= found.without_tolerance
    assert found.p50_ms == pytest.approx(30, rel=0.1)


def test_shifted_run_has_slower_requests_only() -> None:
    schedule = steady(20, 20)
    run = make_run(schedule, lognormal(np.random.default_rng(1), schedule))
    shifted = later(run, 5)
    assert shifted.records["ended"] - run.records["ended"] == pytest.approx(np.full(400, 0.005))
    assert (shifted.records["due"] == run.records["due"]).all()


def test_single_server_follows_the_formula_for_the_mean_wait() -> None:
    # Pollaczek and Khinchine: the mean wait is load * (1 + cv^2) * service / (2 * (1 - load)).
    run = single_server(np.random.default_rng(1), 100, 3000, 0.6, base_s=0)
    squared = np.expm1(0.4**2)
    expected = 0.006 + 0.6 * (1 + squared) * 0.006 / (2 * 0.4)
    assert (run.records["ended"] - run.records["due"]).mean() == pytest.approx(expected, rel=0.05)


def test_levels_of_seconds_resemble_their_neighbours() -> None:
    schedule = steady(100, 500)
    random = np.random.default_rng(2)
    run = make_run(schedule, lognormal(random, schedule, drift=0.2, memory=0.7))
    blocks = blocks_of(run)
    levels = np.log(blocks.total_ms / blocks.answered)
    assert np.corrcoef(levels[1:], levels[:-1])[0, 1] == pytest.approx(0.7, abs=0.12)
    assert levels.std() == pytest.approx(0.2, rel=0.15)


def test_command_writes_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare_power, "cases", lambda: [CALM])
    path = tmp_path / "comparison.json"
    assert command(["--quick", "--pairs", "3", "--json", str(path)]) in {0, 1}
    (found,) = json.loads(path.read_text())["rows"]
    assert (found["plan"], found["pairs"]) == ("20 s of 20/s", 3)
    assert "power at +20 ms, 20 s of 20/s; 30 ms" in capsys.readouterr().out


def test_titles_of_cases_are_unique() -> None:
    titles = [case.title for case in cases()]
    assert len(titles) == len(set(titles))
