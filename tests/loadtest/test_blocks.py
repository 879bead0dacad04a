"""Blocks of a run: the data that compare.py needs."""

import json
import signal
from typing import Any

import numpy as np
import pytest

from local.loadtest.blocks import MOST_BLOCKS, RATIO, Blocks, bins_of, blocks_of, edges_ms, join
from local.loadtest.run import IN_FLIGHT
from local.loadtest.schedule import WavePlan
from tests.support.runs import make_run, steady


def test_steady_run_has_a_block_for_each_second() -> None:
    schedule = steady(10, 20.5)
    failure = np.where(np.arange(schedule.requests) % 10 == 3, "timeout", "").tolist()
    blocks = blocks_of(make_run(schedule, np.full(schedule.requests, 0.03), failure=failure))
    assert blocks.seconds.tolist() == [1.0] * 19 + [1.5]
    assert blocks.requests.tolist() == [10] * 19 + [15]
    assert blocks.failures.tolist() == [1] * 19 + [2]
    assert blocks.answered.tolist() == [9] * 19 + [13]
    assert blocks.total_ms == pytest.approx(np.array([270.0] * 19 + [390.0]))
    assert blocks.arrived.sum() == 19 * 9 + 13


@pytest.mark.parametrize(
    ("parallel", "period", "repeat", "expected"),
    [
        (5, 2.0, 30, (30, 2.0, 5)),  # a block is a wave
        (5, 0.5, 30, (15, 1.0, 10)),  # two waves
        (1, 0.3, 40, (10, 1.2, 4)),  # four: the first whole number of waves that takes a second
        (3, 0.001, 500, (1, 0.5, 1500)),  # a run of less than a second
    ],
)
def test_waves_make_blocks_of_whole_waves(
    parallel: int, period: float, repeat: int, expected: tuple[int, float, int]
) -> None:
    schedule = WavePlan(parallel, period, repeat).schedule()
    blocks = blocks_of(make_run(schedule, np.full(schedule.requests, 0.01)))
    assert (len(blocks), blocks.seconds[0], blocks.requests[0]) == pytest.approx(expected)
    assert blocks.requests.sum() == schedule.requests
    assert blocks.seconds.sum() == pytest.approx(schedule.span)


def test_requests_due_at_once_are_a_single_block() -> None:
    schedule = WavePlan(7, 0, 1).schedule()
    blocks = blocks_of(make_run(schedule, np.linspace(0.1, 0.7, 7)))
    assert blocks.requests.tolist() == blocks.arrived.tolist() == [7]
    assert blocks.seconds == pytest.approx(np.array([0.7]))


def test_answer_arrives_in_the_block_in_which_it_ends() -> None:
    schedule = WavePlan(2, 1, 3).schedule()
    blocks = blocks_of(make_run(schedule, np.array([0.2, 1.2, 0.2, 1.2, 0.2, 1.2])))
    assert blocks.arrived.tolist() == [1, 2, 2]  # the last answer arrives after the run
    assert blocks.answered.tolist() == [2, 2, 2]


def test_blocks_of_a_stopped_run_are_complete() -> None:
    schedule = steady(10, 20)
    run = make_run(schedule, np.full(200, 0.01), stopped_by=signal.SIGINT)
    run.records = run.records[:77]  # stopped in the eighth second
    blocks = blocks_of(run)
    assert blocks.requests.tolist() == [10] * 7


def test_request_in_flight_is_neither_answered_nor_failed() -> None:
    schedule = WavePlan(4, 1, 1).schedule()
    blocks = blocks_of(make_run(schedule, np.full(4, 0.1), failure=["", IN_FLIGHT, "timeout", ""]))
    assert (blocks.requests[0], blocks.answered[0], blocks.failures[0]) == (4, 2, 1)


def test_bins_hold_their_latencies_within_one_percent() -> None:
    milliseconds = np.geomspace(0.001, 1e6, 5000)
    bins = bins_of(milliseconds)
    edges = edges_ms(0, int(bins.max()) + 1)
    assert (edges[bins] <= milliseconds * (1 + 1e-9)).all()
    assert (milliseconds < edges[bins + 1] * (1 + 1e-9)).all()
    assert edges[1:] / edges[:-1] == pytest.approx(RATIO)
    assert bins_of(np.array([0.0, 1e-9])).tolist() == [0, 0]


def test_json_has_all_of_the_blocks() -> None:
    random = np.random.default_rng(1)
    schedule = steady(100, 30)
    failure = np.where(random.random(3000) < 0.1, "timeout", "")
    failure[400:500] = "timeout"  # a second without answers
    blocks = blocks_of(
        make_run(schedule, random.lognormal(-3.5, 1, 3000), failure=failure.tolist())
    )
    again = Blocks.from_dict(json.loads(json.dumps(blocks.as_dict())))
    assert again.first_bin == blocks.first_bin
    for name in ("requests", "failures", "arrived", "histograms"):
        assert (getattr(again, name) == getattr(blocks, name)).all()
    assert again.seconds == pytest.approx(blocks.seconds)
    assert again.total_ms == pytest.approx(blocks.total_ms, abs=0.001)


def test_json_of_a_histogram_is_a_first_bin_counts_and_gaps() -> None:
    schedule = WavePlan(4, 1, 1).schedule()
    milliseconds = edges_ms(0, 1100)[[1000, 1000, 1001, 1005]] * 1.001
    blocks = blocks_of(make_run(schedule, milliseconds / 1000))
    assert blocks.as_dict()["latency"] == ["1000 2 1 -3 1"]


def test_run_without_answers_has_empty_histograms() -> None:
    schedule = steady(10, 3)
    blocks = blocks_of(make_run(schedule, np.full(30, 1.0), failure=["timeout"] * 30))
    assert blocks.as_dict()["latency"] == ["", "", ""]
    assert Blocks.from_dict(blocks.as_dict()).answered.tolist() == [0, 0, 0]


def test_million_requests_take_some_hundred_kilobytes() -> None:
    schedule = steady(500, 2000)
    seconds = np.random.default_rng(1).lognormal(-3.5, 0.5, schedule.requests)
    blocks = blocks_of(make_run(schedule, seconds))
    assert len(blocks) == MOST_BLOCKS
    assert len(json.dumps(blocks.as_dict(), indent=2)) < 400_000


@pytest.mark.parametrize(
    "changes",
    [
        {"bin_ratio": 1.02},
        {"requests": [1, 2]},
        {"requests": [5, 5, 5]},
        {"failures": [11, 0, 0]},
        {"seconds": [1, -1, 1]},
        {"seconds": [1, None, 1]},
        {"latency": ["1000 10", "1000 10", "1000 ten"]},
        {"latency": ["1000 10", "1000 10", "999999999 10"]},
        {"latency": ["1000 10", "1000 10", "-5 10"]},
        {"latency": None},
        {"latency": [1, 2, 3]},
        {"total_ms": [float("nan"), 1, 1]},
    ],
)
def test_invalid_blocks_are_refused(changes: dict[str, Any]) -> None:
    found = blocks_of(make_run(steady(10, 3), np.full(30, 0.02))).as_dict()
    Blocks.from_dict(found)
    with pytest.raises(ValueError, match="blocks are invalid: "):
        Blocks.from_dict({**found, **changes})


def test_joined_blocks_are_those_of_the_runs() -> None:
    random = np.random.default_rng(2)
    runs = [
        blocks_of(make_run(steady(50, seconds), random.lognormal(middle, 0.3, 50 * seconds)))
        for seconds, middle in ((3, -3), (2, -5), (4, -2))
    ]
    nothing = blocks_of(make_run(steady(5, 1), np.full(5, 1.0), failure=["timeout"] * 5))
    joined = join([*runs, nothing])
    assert joined.as_dict()["latency"] == [
        text for run in (*runs, nothing) for text in run.as_dict()["latency"]
    ]
    assert joined.requests.tolist() == [50] * 9 + [5]
    assert joined.failures.tolist() == [0] * 9 + [5]
    assert joined.seconds.tolist() == [1.0] * 10
    assert join([nothing]).as_dict() == nothing.as_dict()


def test_missing_part_of_blocks_is_named() -> None:
    with pytest.raises(ValueError, match="'latency' is missing"):
        Blocks.from_dict({"bin_ratio": RATIO})
