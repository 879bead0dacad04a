"""Cases with a closed form: the simulation must match it exactly."""

import math

import numpy as np
import pytest

from local.simulation.durations import Times
from local.simulation.scaling import SECOND, Limits
from local.simulation.simulate import SimulationResult, simulate
from tests.simulation.helpers import InTurn, unlimited, waves
from tests.simulation.reference import place

SERVED = ("provisioned", "warm", "cold")
THROTTLED = ("over_concurrency", "over_request_rate", "over_scaling_rate")
KINDS = (*SERVED, *THROTTLED)


def test_one_wave_is_all_cold() -> None:
    result = waves(500, 1, 1, cold_ms=1500, warm_ms=25, limits=Limits())

    assert result.cold.tolist() == [500]
    assert result.peak_concurrency == result.peak_on_demand == 500
    assert set(result.latencies.tolist()) == {1_500_000}


@pytest.mark.parametrize("cold_ms", [300, 1000])
def test_waves_slower_than_a_cold_start_are_warm_after_the_first(cold_ms: float) -> None:
    result = waves(80, 1, 20, cold_ms, warm_ms=25, limits=Limits())

    assert result.cold.tolist() == [80] + [0] * 19
    assert result.warm.tolist() == [0] + [80] * 19
    assert result.peak_concurrency == 80


@pytest.mark.parametrize(("cold_ms", "warm_ms"), [(1001, 25), (1500, 25), (2000, 25), (4700, 4700)])
def test_waves_faster_than_a_cold_start_need_as_many_environments_as_overlap(
    cold_ms: float, warm_ms: float
) -> None:
    result = waves(10, 1, 30, cold_ms, warm_ms, limits=Limits())

    overlapping = math.ceil(cold_ms / 1000)
    assert result.cold.tolist() == [10] * overlapping + [0] * (30 - overlapping)
    assert result.peak_concurrency == result.peak_on_demand == 10 * overlapping


def test_waves_without_an_interval_are_one_wave() -> None:
    result = waves(100, 0, 5, cold_ms=1500, warm_ms=25, limits=Limits(concurrency=420))

    assert result.cold.tolist() == [420]
    assert result.over_concurrency.tolist() == [80]


@pytest.mark.parametrize(("idle_seconds", "warm"), [(9.5, 0), (9.75, 1)])
def test_idle_environment_expires_after_the_limit(idle_seconds: float, warm: int) -> None:
    result = waves(1, 10, 5, cold_ms=250, warm_ms=250, limits=Limits(idle_seconds=idle_seconds))

    assert result.cold.tolist() == [1, *[1 - warm] * 4]


def test_only_the_environment_past_the_idle_limit_expires() -> None:
    # Given environments that fall idle at 0.25 s and 0.5 s, and two requests at 10.5 s
    starts = np.array([0, 10_500_000], np.int64)
    times = Times(InTurn([250_000, 500_000]), InTurn([1]))

    result = simulate(starts, np.array([2, 2]), Limits(idle_seconds=10), times)

    assert (result.warm.tolist(), result.cold.tolist()) == ([0, 1], [2, 1])


def test_most_recently_used_environment_is_taken() -> None:
    # Given three environments, and then single requests less than the idle limit apart
    starts = np.array([0, 4, 8, 12, 12], np.int64) * SECOND
    arrivals = np.array([3, 1, 1, 1, 1])
    times = Times(InTurn([100_000]), InTurn([50_000]))

    result = simulate(starts, arrivals, Limits(idle_seconds=5), times)

    # Then one environment serves them all, and the fifth request finds no other one
    assert result.cold.tolist() == [3, 0, 0, 0, 1]


def test_new_environments_come_at_the_scaling_rate_and_unused_ones_are_not_saved_up() -> None:
    # Given a minute in which nothing was used, then 5,000 requests every second for 20 s
    starts = np.array([0, *range(60, 80)], np.int64) * SECOND
    arrivals = np.array([1] + [5000] * 20)
    times = Times(InTurn([600 * SECOND]), InTurn([1]))

    result = simulate(starts, arrivals, Limits(concurrency=10_000), times)

    # Then 1,000 at once and 100 in each second after: 1,000 every 10 s
    assert result.cold.tolist() == [1, 1000] + [100] * 19
    assert result.over_scaling_rate.tolist() == [0, 4000] + [4900] * 19


def test_the_concurrency_limit_throttles_the_rest_of_each_wave() -> None:
    result = waves(100, 1, 10, cold_ms=2500, warm_ms=2500, limits=Limits(concurrency=130))

    assert result.over_concurrency.tolist() == [0, 70, 100] * 3 + [0]
    assert result.peak_concurrency == 130


def test_the_request_rate_is_limited_to_ten_for_each_unit_of_concurrency() -> None:
    # Given 10 requests of 1 ms every 2 ms, 5,000 a second, on a concurrency of 10
    result = waves(10, 0.002, 5000, cold_ms=1, warm_ms=1, limits=Limits(concurrency=10))

    # Then 100 are served at once and 100 a second after
    assert result.latencies.size == 100 + 10 * 100 - 1
    assert result.over_request_rate.sum() == 50_000 - result.latencies.size


def throttled(result: SimulationResult) -> dict[str, int]:
    """Requests throttled by each limit that throttled any."""
    counts = {name: int(getattr(result, name).sum()) for name in THROTTLED}
    return {name: count for name, count in counts.items() if count}


def test_a_limit_that_was_not_reached_throttles_nothing() -> None:
    # Given 2,500 requests every 50 ms, 3,000 at once and 30,000 a second allowed
    result = waves(2500, 0.05, 40, cold_ms=1500, warm_ms=25, limits=Limits(concurrency=3000))

    # Then 1,000 environments and 100 more a second are the only limit
    assert result.peak_concurrency == 1195
    assert result.peak_on_demand == 1195
    assert throttled(result) == {"over_scaling_rate": 100_000 - result.latencies.size}


def test_scaling_throttles_until_the_concurrency_is_reached() -> None:
    # Given requests that never end, and environments for 1,000 and 100 more a second
    result = waves(1100, 1, 4, cold_ms=9000, warm_ms=1, limits=Limits(concurrency=1250))

    assert result.cold.tolist() == [1000, 100, 100, 50]
    assert result.over_scaling_rate.tolist() == [100, 1000, 1000, 0]
    assert result.over_concurrency.tolist() == [0, 0, 0, 1050]


def test_a_request_that_meets_two_limits_at_once_is_throttled_by_concurrency() -> None:
    # Given a concurrency and a request rate that both allow 10 at once
    limits = Limits(concurrency=10, requests_per_second=1)

    result = waves(12, 1, 1, cold_ms=500, warm_ms=500, limits=limits)

    assert throttled(result) == {"over_concurrency": 2}


def test_throttled_requests_do_not_count_towards_the_request_rate() -> None:
    # Given 10,000 requests each second for 10 that may run at once, and 100 a second
    result = waves(10_000, 1, 5, cold_ms=800, warm_ms=800, limits=Limits(concurrency=10))

    assert result.latencies.size == 50
    assert throttled(result) == {"over_concurrency": 50_000 - 50}


def test_provisioned_environments_are_used_first() -> None:
    limits = Limits(provisioned=30, idle_seconds=1)

    result = waves(50, 10, 3, cold_ms=1500, warm_ms=25, limits=limits)

    assert result.provisioned.tolist() == [30, 30, 30]
    assert result.cold.tolist() == [20, 20, 20]
    assert result.peak_on_demand == 20


def test_concurrency_counts_provisioned_and_on_demand_requests_together() -> None:
    limits = Limits(concurrency=40, provisioned=30)

    result = waves(50, 1, 2, cold_ms=1500, warm_ms=1500, limits=limits)

    assert result.cold.tolist() == [10, 0]
    assert result.over_concurrency.tolist() == [10, 50]


def test_every_request_is_answered_or_throttled_once() -> None:
    limits = Limits(40, 10, idle_seconds=2, scaling_step=20, requests_per_second=7)

    result = waves(170, 0.03, 400, cold_ms=900, warm_ms=100, limits=limits)

    counts = [result.provisioned, result.warm, result.cold]
    refused = [result.over_concurrency, result.over_request_rate, result.over_scaling_rate]
    assert np.sum([*counts, *refused], axis=0).tolist() == result.arrivals.tolist()
    assert sum(count.sum() for count in counts) == result.latencies.size == result.ends.size
    assert all(count.sum() > 0 for count in [*counts, *refused])


@pytest.mark.parametrize("seed", range(12))
def test_matches_the_request_by_request_reference(seed: int) -> None:
    # Given random waves, durations and limits
    random = np.random.default_rng(seed)
    starts = np.cumsum(random.choice([0, 30_000, 400_000, 3_000_000], 60)).astype(np.int64)
    arrivals = random.integers(1, 40, 60)
    times = Times(
        InTurn(random.integers(200_000, 2_000_000, 997).tolist()),
        InTurn(random.integers(10_000, 600_000, 991).tolist()),
    )
    provisioned = int(random.choice([0, 5]))
    limits = Limits(int(random.integers(10, 60)), provisioned, 2.5, 40, 10, 3)

    result = simulate(starts, arrivals, limits, times)

    expected = place(starts.tolist(), arrivals.tolist(), limits, times)
    for kind in KINDS:
        assert getattr(result, kind).tolist() == [wave.count(kind) for wave in expected], kind


def test_same_seed_gives_the_same_result() -> None:
    first, again, other = (
        simulate(
            np.arange(50) * 100_000, np.full(50, 7), unlimited(),
            Times(Jitter(), Jitter()), seed,
        ).latencies.tolist()
        for seed in (1, 1, 2)
    )  # fmt: skip

    assert first == again
    assert first != other


class Jitter:
    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        return random.integers(1, 10**6, count)
