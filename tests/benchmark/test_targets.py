"""The verdict of the benchmark, on known figures."""

from collections.abc import Callable
from typing import Any

import pytest

from local.benchmark import targets
from local.benchmark.targets import TARGETS, as_one, figures_by_round, judge, judged, verdict
from tests.benchmark.figures import ROUNDS, figures

GOOD = {
    targets.CPU: 1.1,
    targets.RATE: 0.9,
    targets.TAIL: 1.2,
    targets.RATE_OF_NAIVE: 2.3,
    targets.LARGE: 0.2,
    targets.PEAK: 140.0,
    targets.START: 0.7,
    targets.START_OF_NAIVE: 0.6,
    targets.FAILED: 0.0,
}


def test_round_compares_the_service_with_baseline_and_tutorial_app() -> None:
    rounds = figures_by_round(figures())
    assert len(rounds) == ROUNDS
    assert rounds[0] == pytest.approx(
        {
            targets.CPU: 1.25,
            targets.RATE: 160 / 200,
            targets.TAIL: 1.5 / 1.4,
            targets.RATE_OF_NAIVE: 160 / 50,
            targets.LARGE: 1.25 / 4,
            targets.PEAK: 137.5,
            targets.START: 600 / 500,
            targets.START_OF_NAIVE: 600 / 1000,
            targets.FAILED: 0,
        }
    )


def test_each_round_is_compared_with_its_own_baseline() -> None:
    given = figures()
    given["baseline"]["rounds"][3]["busy_images_s"] = 160
    assert [figures[targets.RATE] for figures in figures_by_round(given)] == [
        0.8,
        0.8,
        0.8,
        1.0,
        0.8,
    ]


def without_naive(given: dict[str, Any]) -> None:
    del given["servers"]["naive"], given["start"]["naive"]


def with_a_failed_naive(given: dict[str, Any]) -> None:
    given["servers"]["naive"] = {"title": "tutorial app", "why": "no memory"}


def without_load(given: dict[str, Any]) -> None:
    for server in given["servers"].values():
        for found in server["rounds"]:
            del found["at_2"], found["at_8"], found["peak_mb"]


def without_large(given: dict[str, Any]) -> None:
    for server in given["servers"].values():
        for found in server["rounds"]:
            del found["large_cpu_ms"], found["large_peak_mb"]


def without_start(given: dict[str, Any]) -> None:
    given["start"] = {"why": "no answer"}


def only_start(given: dict[str, Any]) -> None:
    del given["baseline"], given["servers"]


NAIVE = {targets.RATE_OF_NAIVE, targets.LARGE}
STARTS = {targets.START, targets.START_OF_NAIVE}


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (without_naive, {*NAIVE, targets.START_OF_NAIVE}),
        (with_a_failed_naive, NAIVE),
        (
            without_load,
            {targets.CPU, targets.RATE, targets.TAIL, targets.RATE_OF_NAIVE, targets.FAILED},
        ),
        (without_large, {targets.LARGE}),
        (without_start, STARTS),
        (only_start, {target.name for target in TARGETS} - STARTS),
    ],
)
def test_target_without_both_measurements_is_left_out(
    change: Callable[[dict[str, Any]], None],
    missing: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given
    given = figures()
    change(given)
    # when
    rounds = figures_by_round(given)
    verdict(rounds, gross=False)
    # then
    assert {target.name for target in TARGETS} - {
        target.name for target in judged(rounds)
    } == missing
    last = capsys.readouterr().out.splitlines()[-1]
    names = last.removeprefix("not measured: ").split(", ")
    assert set(names) == missing


def test_good_figures_meet_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict([GOOD] * 3, gross=False) == 0
    out = capsys.readouterr().out
    assert out.count(" met\n") == len(TARGETS)
    assert "not judged" not in out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (targets.CPU, 1.21),
        (targets.RATE, 0.79),
        (targets.TAIL, 1.51),
        (targets.RATE_OF_NAIVE, 1.99),
        (targets.LARGE, 0.36),
        (targets.PEAK, 251),
        (targets.START, 1.26),
        (targets.START_OF_NAIVE, 0.81),
        (targets.FAILED, 1),
    ],
)
def test_one_missed_target_is_exit_status_1(name: str, value: float) -> None:
    assert verdict([{**GOOD, name: value}] * 3, gross=False) == 1


def run_of(cpu_of_baseline: float) -> dict[str, Any]:
    """The figures of a run in which all other targets are met."""
    given = figures()
    for found in given["servers"]["service"]["rounds"]:
        found["at_8"]["cpu_of_baseline"] = cpu_of_baseline
    return given


@pytest.mark.parametrize(
    ("gross", "runs", "status", "made"),
    [
        (False, [1.2], 0, 1),
        (False, [1.3], 1, 1),
        (False, [2.5], 1, 1),
        (True, [2.3], 0, 1),  # less than twice 1.2
        (True, [2.5, 2.3], 0, 2),
        (True, [2.5, 2.5, 2.3], 0, 3),
        (True, [2.5, 2.5, 2.5], 1, 3),
    ],
)
def test_gross_repeats_a_run_until_it_meets_the_targets(
    gross: bool, runs: list[float], status: int, made: int
) -> None:
    left = [run_of(figures) for figures in runs]
    assert judge(lambda: left.pop(0), gross=gross) == status
    assert len(left) == len(runs) - made


@pytest.mark.parametrize("gross", [False, True])
@pytest.mark.parametrize("change", [with_a_failed_naive, without_start])
def test_failed_measurement_is_status_1(
    change: Callable[[dict[str, Any]], None], gross: bool
) -> None:
    given = run_of(1.0)
    change(given)
    left = [given]
    assert judge(lambda: left.pop(0), gross=gross) == 1


def test_one_failed_request_in_one_round_is_a_miss() -> None:
    assert verdict([GOOD, {**GOOD, targets.FAILED: 1}, GOOD], gross=False) == 1


def test_one_slow_round_is_not_a_miss() -> None:
    assert verdict([GOOD, {**GOOD, targets.CPU: 3}, GOOD], gross=False) == 0


def test_no_targets_is_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict([{}], gross=False) == 0
    assert capsys.readouterr().out.startswith("not measured: ")


def test_rounds_as_one_repetition_are_medians_and_maximum_failures() -> None:
    rounds = [
        {**GOOD, targets.CPU: cpu, targets.FAILED: failed}
        for cpu, failed in [(1.0, 0), (1.5, 2), (1.1, 1)]
    ]
    assert as_one(rounds) == {**GOOD, targets.CPU: 1.1, targets.FAILED: 2}
