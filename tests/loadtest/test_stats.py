"""Statistics of a run."""

import random
import signal

import pytest

from local.loadtest.client.runner import Run
from local.loadtest.plan import WavePlan
from local.loadtest.result import ANSWERED, IN_FLIGHT, RequestResult
from local.loadtest.stats import Percentiles, concurrency, percentile, percentiles, summarize

START = 100.0


def make_result(
    wave: int, number: int, lateness: float, service: float, failure: str = ANSWERED
) -> RequestResult:
    due = START + wave
    return RequestResult(wave, number, due, due + lateness, due + lateness + service, failure)


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [
        (100, 50, 50),
        (100, 99, 99),
        (101, 99, 100),
        (10, 99, 10),
        (10, 50, 5),
        (1, 50, 1),
        (3, 0, 1),
    ],
)
def test_percentiles_are_of_the_nearest_rank(count: int, percent: float, expected: int) -> None:
    assert percentile(range(1, count + 1), percent) == expected


def test_percentiles_are_in_milliseconds_and_independent_of_order() -> None:
    seconds = [milliseconds / 1000 for milliseconds in range(1, 1001)]
    random.Random(1).shuffle(seconds)
    assert percentiles(seconds) == Percentiles(500.0, 900.0, 950.0, 990.0, 1000.0)


def test_percentiles_of_nothing_are_none() -> None:
    assert percentiles([]) == Percentiles(None, None, None, None, None)


def test_summarize_two_waves() -> None:
    # given: of two waves of two, one answer, one late answer, one failure, one still in flight
    results = [
        make_result(0, 0, lateness=0.0, service=0.1),
        make_result(0, 1, lateness=0.2, service=0.3),
        make_result(1, 0, lateness=0.0, service=1.0, failure="timeout"),
        make_result(1, 1, lateness=0.0, service=0.6, failure=IN_FLIGHT),
    ]
    plan = WavePlan(parallel=2, period=1, repeat=5)

    summary = summarize(Run("stub", plan, results, START, stopped_by=signal.SIGINT))

    assert (summary.planned, summary.requests, summary.answered) == (10, 4, 2)
    assert (summary.failures, summary.failures_by_kind) == (1, {"timeout": 1})
    assert (summary.in_flight, summary.stopped) == (1, True)
    assert summary.wall_s == 2.0
    assert summary.throughput_rps == 1.0
    assert summary.offered_rps == 2.0
    assert summary.peak_concurrency == 2
    assert summary.latency_ms == Percentiles(100, 500, 500, 500, 500)
    assert summary.service_ms == Percentiles(100, 300, 300, 300, 300)
    assert summary.lateness_ms == Percentiles(0, 200, 200, 200, 200)
    first, second = summary.waves
    assert (first.requests, first.failures, first.in_flight, first.due_s) == (2, 0, 0, 0)
    assert (first.latency_ms.max, first.lateness_ms.max, first.last_answer_s) == (500, 200, 0.5)
    assert (second.requests, second.failures, second.in_flight, second.due_s) == (2, 1, 1, 1)
    assert second.last_answer_s is None


def test_concurrency_counts_overlapping_requests() -> None:
    results = [make_result(0, 0, 0, 1), make_result(0, 1, 0.5, 1), make_result(2, 0, 0, 1)]
    assert concurrency(results) == [
        *((START, 1), (START + 0.5, 2), (START + 1, 1), (START + 1.5, 0)),
        *((START + 2, 1), (START + 3, 0)),
    ]
