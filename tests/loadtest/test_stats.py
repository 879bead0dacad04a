"""Statistics of a run."""

import math
import signal
from collections.abc import Sequence

import numpy as np
import pytest

from local.loadtest.concurrency import concurrency, concurrency_peaks, peak_concurrency
from local.loadtest.environment import Environment
from local.loadtest.percentiles import Percentiles, percentile, percentiles
from local.loadtest.run import IN_FLIGHT, ClientUse
from local.loadtest.stats import summarize
from tests.support.runs import add_stages, make_run, steady, waves


def ranks(of: Percentiles) -> list[float | None]:
    return [of.p50, of.p90, of.p95, of.p99, of.max]


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
        (1000, 99.9, 999),
        (1001, 99.9, 1000),
        (1_000_000, 99.9, 999_000),
        (10, 99.9, 10),
    ],
)
def test_percentiles_are_of_the_nearest_rank(count: int, percent: float, expected: int) -> None:
    assert percentile(range(1, count + 1), percent) == expected


def test_percentiles_are_in_milliseconds_and_independent_of_order() -> None:
    seconds = np.random.default_rng(1).permutation(np.arange(1, 1001) / 1000)
    assert percentiles(seconds) == Percentiles(1, 500.5, 500, 900, 950, 990, 999, 1000)


@pytest.mark.parametrize("seconds", [[], [math.nan]])
def test_percentiles_of_nothing_are_none(seconds: Sequence[float]) -> None:
    assert percentiles(np.array(seconds)) == Percentiles(*[None] * 8)


def test_summarize_two_waves_of_a_stopped_run() -> None:
    # given: of two waves of two, one answer, one late answer, one failure, one still in flight
    run = make_run(
        waves(2, 1, 5),
        [0.1, 0.3, 1.0, 0.6],
        lateness=[0, 0.2, 0, 0],
        failure=["", "", "timeout", IN_FLIGHT],
        stopped_by=signal.SIGINT,
    )

    summary = summarize(run)

    assert (summary.planned, summary.requests, summary.answered) == (10, 4, 2)
    assert (summary.failures, summary.failures_by_kind) == (1, {"timeout": 1})
    assert (summary.in_flight, summary.stopped) == (1, True)
    assert summary.wall_s == 2.0
    assert summary.offered_rps == 2.0
    assert summary.peak_concurrency == 2
    assert ranks(summary.latency_ms) == [100, 500, 500, 500, 500]
    assert ranks(summary.service_ms) == [100, 300, 300, 300, 300]
    assert ranks(summary.lateness_ms) == [0, 200, 200, 200, 200]
    first, second = summary.waves
    assert (first.requests, first.failures, first.in_flight, first.due_s) == (2, 0, 0, 0)
    assert (first.latency_ms.max, first.lateness_ms.max, first.last_answer_s) == (500, 200, 0.5)
    assert (second.requests, second.failures, second.in_flight, second.due_s) == (2, 1, 1, 1)
    assert second.last_answer_s is None
    assert summary.periods == []


def test_throughput_counts_over_the_time_in_which_requests_are_due() -> None:
    # given: two waves of ten a second apart, each answered at once: 10 requests/s
    summary = summarize(make_run(waves(10, 1, 2), [0.01] * 20))
    assert (summary.throughput_rps, summary.throughput_over) == (10, "span")
    assert summary.throughput_s == summary.span_s == 2


def test_answers_after_the_span_are_not_throughput() -> None:
    # given: a server that answers half of the rate
    summary = summarize(make_run(steady(100, 10), np.arange(1000) / 100))
    assert summary.throughput_rps == pytest.approx(50, abs=0.2)
    assert summary.wall_s == pytest.approx(19.98)


def test_throughput_of_requests_due_at_once_counts_to_the_last_answer() -> None:
    # given: after the last answer, a failure
    run = make_run(waves(4, 0, 1), [0.1, 0.2, 0.5, 60], failure=["", "", "", "timeout"])
    summary = summarize(run)
    assert (summary.throughput_rps, summary.throughput_over) == (6, "time to the last answer")
    assert summary.span_s is None


def test_throughput_of_a_stopped_run_counts_until_the_stop() -> None:
    run = make_run(steady(10, 60), [0.1] * 50, stopped_by=signal.SIGINT)
    summary = summarize(run)
    assert summary.throughput_over == "time until the stop"
    assert summary.throughput_rps == pytest.approx(50 / 5)


def test_a_run_without_requests_has_no_figures() -> None:
    summary = summarize(make_run(waves(4, 1, 2), [], stopped_by=signal.SIGTERM))
    assert (summary.requests, summary.planned, summary.throughput_rps) == (0, 8, 0)
    assert summary.latency_ms.p99 is None
    assert summary.parts == []


def test_times_are_absolute_and_the_command_is_kept() -> None:
    run = make_run(waves(2, 0, 1), [0.1, 1.5])
    run.client = ClientUse(senders=2, cpu_seconds=0.5, peak_mb=60)
    report = summarize(run, Environment("python test_script.py 2", {"python": "3"})).as_dict()
    assert report["start"] == "2027-01-15T08:00:00.000+00:00"
    assert report["end"] == "2027-01-15T08:00:01.500+00:00"
    assert report["command"] == "python test_script.py 2"
    assert report["versions"] == {"python": "3"}
    assert report["client"] == {"senders": 2, "cpu_seconds": 0.5, "peak_mb": 60}
    assert report["plan"]["kind"] == "waves"


@pytest.mark.parametrize(
    ("repeat", "periods", "length"), [(51, 26, 0.2), (100, 50, 0.2), (1000, 50, 2), (5000, 50, 10)]
)
def test_more_than_fifty_waves_are_summarised_by_time(
    repeat: int, periods: int, length: float
) -> None:
    summary = summarize(make_run(waves(3, 0.1, repeat), [0.05] * (3 * repeat)))
    assert summary.waves == []
    assert len(summary.periods) == periods
    assert sum(part.requests for part in summary.periods) == 3 * repeat
    assert {round(part.until_s - part.due_s, 6) for part in summary.periods} == {length}
    assert all(part.wave is None for part in summary.periods)


@pytest.mark.parametrize("seconds", [1, 49, 50, 51, 60, 3600])
def test_a_steady_rate_is_summarised_in_at_most_fifty_periods(seconds: int) -> None:
    run = make_run(steady(7, seconds), [0.05] * (7 * seconds))
    periods = summarize(run).periods
    assert len(periods) <= 50
    length = periods[0].until_s
    assert [part.due_s for part in periods] == [number * length for number in range(len(periods))]
    assert {part.requests for part in periods[:-1]} <= {7 * length}
    assert sum(part.requests for part in periods) == 7 * seconds


def test_many_waves_without_a_period_are_one_part() -> None:
    (part,) = summarize(make_run(waves(1, 0, 1500), [0.05] * 1500)).parts
    assert (part.requests, part.due_s) == (1500, 0)


def test_concurrency_counts_overlapping_requests() -> None:
    records = make_run(waves(1, 1, 3), [1, 1, 1], lateness=[0, -0.5, 0]).records
    times, levels = concurrency(records)
    assert times.tolist() == [0, 0.5, 1, 1.5, 2, 3]
    assert levels.tolist() == [1, 2, 1, 0, 1, 0]
    assert peak_concurrency(records) == 2


def test_peaks_of_bins_are_those_of_the_exact_steps() -> None:
    # given: an M/G/infinity queue with about 20 requests in flight
    random = np.random.default_rng(3)
    records = make_run(steady(100, 20), random.exponential(0.2, 2000)).records
    edges = np.linspace(0, records["ended"].max(), 51)

    peaks = concurrency_peaks(records, edges)

    times, levels = concurrency(records)
    for first, last, peak in zip(edges[:-1], edges[1:], peaks, strict=True):
        inside = (times >= first) & (times < last)
        before = levels[times <= first][-1:]
        assert peak == max([*levels[inside], *before])
    assert peaks.max() == peak_concurrency(records)


def test_the_slowest_answers_are_listed_with_their_ids() -> None:
    # given: 30 requests, of which the slowest failed
    seconds = np.random.default_rng(2).permutation(30) / 10
    failure = ["timeout" if second == 2.9 else "" for second in seconds]
    run = make_run(steady(10, 3), seconds, failure=failure)
    add_stages(run, infer=0.02)
    run.records["id"] = [f"id-{number}" for number in run.records["request"]]
    slowest = summarize(run).slowest
    assert [request.latency_ms for request in slowest] == [2800 - 100 * n for n in range(10)]
    for request in slowest:
        assert request.id == f"id-{request.request}"
        assert request.due_s == pytest.approx(request.request / 10)
        assert request.infer_ms == pytest.approx(20)
        assert request.queue_ms is None
