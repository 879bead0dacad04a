"""Two runs compared: is b slower than a?"""

import math

import numpy as np
import pytest

from local.loadtest.blocks import Blocks, blocks_of
from local.loadtest.comparison import (
    METRICS,
    Comparison,
    Difference,
    compare_blocks,
    estimates,
    student_t,
)
from local.loadtest.schedule import WavePlan
from tests.support.runs import make_run, steady
from tests.support.synthetic import lognormal, single_server

RATE = 100


def blocks(seed: int, *, slower_s: float = 0.0, failing: float = 0.0, seconds: int = 60) -> Blocks:
    """Of a run around 30 ms, all of whose requests take `slower_s` longer."""
    random = np.random.default_rng(seed)
    schedule = steady(RATE, seconds)
    failure = np.where(random.random(schedule.requests) < failing, "timeout", "").tolist()
    return blocks_of(make_run(schedule, lognormal(random, schedule) + slower_s, failure=failure))


def by_metric(comparison: Comparison) -> dict[str, Difference]:
    return {difference.metric: difference for difference in comparison.differences}


@pytest.mark.parametrize("slower_ms", [5, 20])
def test_slower_run_is_a_regression(slower_ms: int) -> None:
    found = compare_blocks(blocks(1), blocks(2, slower_s=slower_ms / 1000))
    median = by_metric(found)["p50"]
    assert found.is_regression
    assert median.verdict == "worse"
    assert median.low is not None
    assert median.high is not None
    assert median.low < slower_ms / 30 < median.high


def test_faster_run_is_better() -> None:
    found = compare_blocks(blocks(1, slower_s=0.02), blocks(2))
    assert not found.is_regression
    assert [difference.verdict for difference in found.judged] == ["better", "better", "same"]


def test_equal_runs_are_the_same() -> None:
    found = compare_blocks(blocks(1), blocks(2))
    assert {difference.verdict for difference in found.differences} == {"same"}
    assert [difference.metric for difference in found.differences] == list(METRICS)
    for difference in found.differences:
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low <= 0 <= difference.high


def test_run_compared_with_itself_has_no_difference() -> None:
    same = blocks(3)
    assert {difference.change for difference in compare_blocks(same, same).differences} == {0}


def test_difference_within_the_tolerance_is_no_regression() -> None:
    pair = blocks(1), blocks(2, slower_s=0.005)
    assert compare_blocks(*pair, tolerance=0.02).is_regression
    assert not compare_blocks(*pair, tolerance=0.2).is_regression


def test_more_failures_are_a_regression_whatever_the_latency() -> None:
    found = compare_blocks(blocks(1, slower_s=0.02), blocks(2, failing=0.02), judged=["p50"])
    assert by_metric(found)["p50"].verdict == "better"
    assert by_metric(found)["failures"].verdict == "worse"
    assert found.is_regression


def test_single_failure_is_chance() -> None:
    run = blocks(2)
    failures = run.failures.copy()
    failures[5] = 1
    one = Blocks(
        run.seconds, run.requests + failures, failures, run.arrived, run.total_ms, run.first_bin,
        run.histograms,
    )  # fmt: skip
    assert by_metric(compare_blocks(blocks(1), one))["failures"].verdict == "same"


def test_run_without_answers_is_a_regression() -> None:
    found = compare_blocks(blocks(1), blocks(2, failing=1))
    assert by_metric(found)["failures"].verdict == "worse"
    assert by_metric(found)["p99"].verdict == "unknown"
    assert by_metric(found)["p99"].b is None
    assert found.is_regression


def test_lower_rate_is_worse_if_it_is_judged() -> None:
    slow, fast = (
        blocks_of(single_server(np.random.default_rng(1), rate, 60, load))
        for rate, load in ((90, 0.5), (100, 0.5))
    )
    assert by_metric(compare_blocks(fast, slow, judged=["rate"]))["rate"].verdict == "worse"
    assert by_metric(compare_blocks(slow, fast, judged=["rate"]))["rate"].verdict == "better"


@pytest.mark.parametrize(("seconds", "possible"), [(9, False), (10, True)])
def test_short_runs_have_no_verdict(seconds: int, possible: bool) -> None:
    pair = blocks(1, seconds=seconds), blocks(2, slower_s=0.1, seconds=seconds)
    found = compare_blocks(*pair)
    assert found.is_possible == possible
    assert found.is_regression == possible
    assert (by_metric(found)["p50"].low is not None) == possible
    assert by_metric(found)["p50"].change == pytest.approx(100 / 30, rel=0.1)


def test_intervals_share_the_error_of_five_percent() -> None:
    pair = blocks(1), blocks(2)
    assert compare_blocks(*pair, judged=["failures"]).confidence == pytest.approx(0.95)
    assert compare_blocks(*pair, judged=["p99"]).confidence == pytest.approx(0.975)
    assert compare_blocks(*pair).confidence == pytest.approx(1 - 0.05 / 3)


def test_same_seed_gives_the_same_intervals() -> None:
    pair = blocks(1), blocks(2)
    assert compare_blocks(*pair, seed=7) == compare_blocks(*pair, seed=7)
    assert compare_blocks(*pair, seed=7) != compare_blocks(*pair, seed=8)


def test_interval_has_the_width_that_theory_gives_for_independent_latencies() -> None:
    # given: the median of independent values has the variance 1 / (4 n f^2)
    random = np.random.default_rng(4)
    schedule = steady(1000, 200)
    pair = [
        blocks_of(make_run(schedule, lognormal(random, schedule, sigma=0.4, drift=0)))
        for _ in range(2)
    ]
    # when
    median = by_metric(compare_blocks(pair[0], pair[1]))["p50"]
    # then
    error = 0.4 * math.sqrt(2 * math.pi) / 2 / math.sqrt(schedule.requests) * math.sqrt(2)
    half = student_t(1 - 0.05 / 6, 14) * error * math.sqrt(8 / 7)
    assert median.low is not None
    assert median.high is not None
    assert (median.high - median.low) / 2 == pytest.approx(half, rel=0.35)


def test_estimates_are_those_of_the_requests() -> None:
    random = np.random.default_rng(5)
    schedule = WavePlan(50, 2, 40).schedule()
    seconds = random.lognormal(-3.5, 0.8, 2000)
    failure = np.where(np.arange(2000) % 10 == 0, "timeout", "")
    found = estimates(blocks_of(make_run(schedule, seconds, failure=failure.tolist())))
    answered = np.sort(seconds[failure == ""] * 1000)
    for metric, rank in (("p50", 900), ("p90", 1620), ("p95", 1710), ("p99", 1782)):
        assert found[metric] == pytest.approx(answered[rank - 1], rel=0.01)
    assert found["mean"] == pytest.approx(answered.mean())
    assert found["failures"] == pytest.approx(0.1)
    assert found["rate"] == pytest.approx(1800 / 80)


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 4, 2.776),
        (0.975, 14, 2.145),
        (0.99, 7, 2.998),
        (0.995, 10, 3.169),
        (0.95, 30, 1.697),
    ],
)
def test_quantiles_of_students_distribution_are_those_of_printed_tables(
    probability: float, freedom: float, expected: float
) -> None:
    assert student_t(probability, freedom) == pytest.approx(expected, abs=0.0006)


def test_interval_is_wider_if_slow_seconds_are_neighbours() -> None:
    # given: the same seconds, of which a third is slow, in a row or spread out
    random = np.random.default_rng(6)
    schedule = steady(RATE, 60)
    seconds = lognormal(random, schedule, drift=0).reshape(60, RATE)
    slow = np.arange(60) < 20
    row = blocks_of(make_run(schedule, (seconds * np.where(slow, 1.2, 1)[:, None]).ravel()))
    spread = np.arange(60) % 3 == 0
    even = blocks_of(make_run(schedule, (seconds * np.where(spread, 1.2, 1)[:, None]).ravel()))
    # when
    widths = []
    for run in (row, even):
        mean = by_metric(compare_blocks(run, run))["mean"]
        assert mean.low is not None
        assert mean.high is not None
        widths.append(mean.high - mean.low)
    # then
    assert widths[0] > 2 * widths[1]


def test_percentile_of_a_single_request_is_within_its_bin() -> None:
    for seconds in np.geomspace(0.001, 10, 50):
        found = estimates(blocks_of(make_run(WavePlan(1, 0, 1).schedule(), [seconds])))
        for metric in ("p50", "p99"):
            assert found[metric] == pytest.approx(1000 * seconds, rel=0.0051)
