"""Measurements with targets."""

import argparse
import math
from collections.abc import Callable, Iterator

import pytest

from local.common.verdict import (
    Figures,
    Threshold,
    add_gross_option,
    add_verdict_options,
    conclude,
    judge,
)

COST = Threshold("cost", 10, "ms")
RATE = Threshold("rate", 100, at_least=True)
FAILED = Threshold("failed", 0, every=True)
TARGETS = [COST, RATE, FAILED]
GOOD = {"cost": 5.0, "rate": 200.0, "failed": 0.0}


def measuring(*rounds: Figures) -> tuple[Callable[[], Figures], list[Figures]]:
    """A measurement that finds `rounds` one after another, and those that it has found."""
    left: Iterator[Figures] = iter(rounds)
    found: list[Figures] = []

    def measure() -> Figures:
        found.append(next(left))
        return found[-1]

    return measure, found


def cells(out: str, name: str) -> list[str]:
    """The row of the figure `name`."""
    (row,) = [line.split() for line in out.splitlines() if line.startswith(name)]
    return row


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (COST, 10, True),
        (COST, 10.001, False),
        (RATE, 100, True),
        (RATE, 99.999, False),
        (FAILED, 0, True),
        (FAILED, 1, False),
        (COST, math.nan, False),
        (RATE, math.nan, False),
    ],
)
def test_value_equal_to_the_limit_meets_the_target(
    target: Threshold, value: float, met: bool
) -> None:
    assert target.is_met(value) is met


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [(COST, 20, True), (COST, 20.1, False), (RATE, 50, True), (RATE, 49.9, False)],
)
def test_slack_is_a_factor_of_the_limit(target: Threshold, value: float, met: bool) -> None:
    assert target.is_met(value, slack=2) is met


@pytest.mark.parametrize(
    ("target", "judged"),
    [
        (COST, 2),
        (RATE, 2),
        (Threshold("x", 1, every=True), 9),
        (Threshold("x", 1, at_least=True, every=True), 1),
    ],
)
def test_median_or_worst_is_compared(target: Threshold, judged: float) -> None:
    assert target.of([9, 1, 2]) == judged


def test_target_prints_direction_and_unit() -> None:
    assert [str(target) for target in TARGETS] == ["≤ 10 ms", "≥ 100", "≤ 0, each"]


def test_medians_of_all_repetitions_are_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given one repetition of three that was disturbed
    measure, found = measuring(GOOD, {**GOOD, "cost": 90, "rate": 1}, {**GOOD, "cost": 7})
    # when
    status = judge(measure, TARGETS, repeat=3, gross=False)
    # then
    out = capsys.readouterr().out
    assert (status, len(found)) == (0, 3)
    assert cells(out, "cost") == ["cost", "7", "5", "90", "≤", "10", "ms", "met"]
    assert cells(out, "rate") == ["rate", "200", "1", "200", "≥", "100", "met"]
    assert out.endswith("\n3 repetitions\n")
    assert " cores of " in out.splitlines()[0]


def test_one_missed_target_is_exit_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    slow = {**GOOD, "cost": 11}
    status = judge(measuring(slow, slow, GOOD)[0], TARGETS, repeat=3, gross=False)
    out = capsys.readouterr().out
    assert status == 1
    assert [cells(out, target.name)[-1] for target in TARGETS] == ["missed", "met", "met"]


def test_one_failure_in_any_repetition_is_a_miss() -> None:
    measure, _ = measuring(GOOD, {**GOOD, "failed": 1}, GOOD)
    assert judge(measure, TARGETS, repeat=3, gross=False) == 1


def test_gross_stops_at_the_first_repetition_within_the_factor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given a first repetition that misses by more than that
    measure, found = measuring({**GOOD, "cost": 21}, {**GOOD, "cost": 19, "rate": 51}, GOOD)
    # when
    status = judge(measure, TARGETS, repeat=3, gross=True)
    # then
    assert (status, len(found)) == (0, 2)
    assert capsys.readouterr().out.endswith(
        "\n2 repetitions; missed means by a factor of 2 in every repetition\n"
    )


def test_gross_fails_if_every_repetition_misses_by_the_factor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure, found = measuring(*[{**GOOD, "rate": rate} for rate in (49, 1, 30)])
    status = judge(measure, TARGETS, repeat=3, gross=True)
    assert (status, len(found)) == (1, 3)
    assert cells(capsys.readouterr().out, "rate")[-1] == "missed"


def test_missing_figure_raises() -> None:
    with pytest.raises(KeyError, match="rate"):
        conclude([{"cost": 1, "failed": 0}], TARGETS, gross=False)


def test_verdict_options() -> None:
    parser = argparse.ArgumentParser()
    add_verdict_options(parser, repetitions=5)
    assert vars(parser.parse_args([])) == {"repeat": 5, "gross": False}
    assert vars(parser.parse_args(["--repeat", "2", "--gross"])) == {"repeat": 2, "gross": True}


@pytest.mark.parametrize("repetitions", ["0", "-1", "1.5", "many"])
def test_zero_repetitions_exit_2(repetitions: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_verdict_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--repeat", repetitions])
    assert f"{repetitions!r} is not a whole number of 1 or more" in capsys.readouterr().err


def test_gross_option_alone() -> None:
    parser = argparse.ArgumentParser()
    add_gross_option(parser)
    assert vars(parser.parse_args(["--gross"])) == {"gross": True}
