"""Stretches computed with arrays must equal the same requests, one instant after the other."""

import numpy as np
import pytest

from local.simulation.durations import DurationStream, Microseconds, Times
from local.simulation.scaling import Environments, Limits, WaveCounts
from tests.simulation.helpers import Exponential, InTurn, poisson
from tests.simulation.reference import place


class Counted(Environments):
    """Counts the instants that were not part of a stretch."""

    single = 0

    def admit(self, now: int, arrivals: int) -> WaveCounts:
        self.single += 1
        return super().admit(now, arrivals)


def environments(limits: Limits, times: Times) -> tuple[Counted, list[DurationStream]]:
    random = np.random.default_rng(1).spawn(3)
    kinds = (times.cold, times.warm, times.warm)
    streams = [DurationStream(kind, one) for kind, one in zip(kinds, random, strict=True)]
    return Counted(limits, *streams), streams


def check(
    starts: Microseconds, arrivals: Microseconds, limits: Limits, times: Times, *, stretches: float
) -> None:
    """stretches: the least share of instants that must be part of one."""
    quick, quick_streams = environments(limits, times)
    plain, plain_streams = environments(limits, times)

    counts = quick.run(starts, arrivals)

    expected = [plain.admit(*pair) for pair in zip(starts.tolist(), arrivals.tolist(), strict=True)]
    assert counts.tolist() == [list(wave) for wave in expected]
    for quick_stream, plain_stream in zip(quick_streams, plain_streams, strict=True):
        assert quick_stream.collect().tolist() == plain_stream.collect().tolist()
    assert quick.peak_in_flight == plain.peak_in_flight
    assert quick.peak_on_demand == plain.peak_on_demand
    assert quick.single <= (1 - stretches) * len(starts)
    # Then both go on alike
    after = int(starts[-1])
    for each in (quick, plain):
        each.start_peaks(after)
    for later in (1, 1000, 2_000_000, 500_000_000):
        assert quick.admit(after + later, 7) == plain.admit(after + later, 7)


def test_peaks_count_provisioned_and_on_demand_requests_of_an_earlier_run() -> None:
    # Given 5 long requests in new environments, and a later run with single requests
    quick, _ = environments(Limits(50, 10), Times(InTurn([10**9]), InTurn([15_000])))
    quick.run(np.array([0]), np.array([15]))
    quick.start_peaks(20_000)

    quick.run(20_000 + np.arange(500) * 10_000, np.ones(500, np.int64))

    assert quick.single < 2
    assert quick.peak_in_flight == 5 + 2


@pytest.mark.parametrize("seed", range(3))
def test_a_long_steady_plan_is_almost_all_stretches(seed: int) -> None:
    times = Times(Exponential(900), Exponential(80))

    check(*poisson(100, 20_000, seed), Limits(), times, stretches=0.9)


@pytest.mark.parametrize("idle_seconds", [0.001, 0.2, 1, 5])
def test_environments_that_expire_end_a_stretch(idle_seconds: float) -> None:
    times = Times(Exponential(300), Exponential(80))

    check(*poisson(50, 10_000), Limits(idle_seconds=idle_seconds), times, stretches=0)


@pytest.mark.parametrize(("concurrency", "rate"), [(3, 10), (12, 10), (12, 6), (20, 5), (20, 4)])
def test_limits_end_a_stretch(concurrency: int, rate: int) -> None:
    times = Times(Exponential(300), Exponential(80))
    limits = Limits(concurrency, requests_per_second=rate, scaling_step=5)

    check(*poisson(90, 10_000), limits, times, stretches=0)


@pytest.mark.parametrize(("provisioned", "stretches"), [(5, 0), (8, 0), (12, 0.1), (30, 0.99)])
def test_provisioned_environments_have_stretches(provisioned: int, stretches: float) -> None:
    times = Times(Exponential(300), Exponential(80))
    limits = Limits(50, provisioned)

    check(*poisson(90, 10_000), limits, times, stretches=stretches)


def test_waves_have_stretches() -> None:
    starts = np.arange(2000) * 500_000
    arrivals = np.random.default_rng(0).integers(1, 90, 2000)
    times = Times(Exponential(900), Exponential(80))

    check(starts, arrivals, Limits(), times, stretches=0.5)


def test_requests_that_end_when_others_start_free_their_environment() -> None:
    # Given durations of one, two and three intervals
    starts = np.arange(5000) * 10_000
    times = Times(InTurn([30_000]), InTurn([10_000, 20_000, 30_000, 10_000]))

    check(starts, np.ones(5000, np.int64), Limits(), times, stretches=0.9)


@pytest.mark.parametrize("seed", range(4))
def test_stretches_match_the_request_by_request_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    starts = np.cumsum(random.choice([20_000, 30_000, 400_000], 1500, p=[0.6, 0.39, 0.01]))
    arrivals = random.integers(1, 4, 1500)
    times = Times(
        InTurn(random.integers(200_000, 900_000, 997).tolist()),
        InTurn(random.integers(10_000, 200_000, 991).tolist()),
    )
    limits = Limits(40, int(random.choice([0, 30])), idle_seconds=20, scaling_step=40)

    counted, _ = environments(limits, times)
    counts = counted.run(starts.astype(np.int64), arrivals)

    expected = place(starts.tolist(), arrivals.tolist(), limits, times)
    assert counts.tolist() == [
        [wave.count(kind) for kind in WaveCounts._fields] for wave in expected
    ]
    assert counted.single < 1000
