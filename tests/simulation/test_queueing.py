"""Where only the expectation has a closed form, the simulation must meet it within noise.

The seeds are fixed, so the results are, too. The tolerances are about three standard deviations
of runs with other seeds.
"""

import math

import numpy as np
import pytest

from local.simulation.durations import Constant, Durations, Times
from local.simulation.simulate import simulate
from tests.simulation.helpers import Exponential, erlang_b, poisson, unlimited


@pytest.mark.parametrize("service", [Exponential(1000), Constant(1000)])
@pytest.mark.parametrize(("servers", "load"), [(20, 20), (10, 4)])
def test_throttled_share_matches_erlang_b(service: Durations, servers: int, load: float) -> None:
    count = 200_000
    limits = unlimited(concurrency=servers)

    result = simulate(*poisson(load, count), limits, Times(service, service), seed=1)

    lost = result.over_concurrency.sum() / count
    assert lost == pytest.approx(erlang_b(servers, load), abs=0.005)
    assert result.over_request_rate.sum() == 0


def test_average_concurrency_is_rate_times_duration() -> None:
    """Little's law, and Poisson by insensitivity: mean and variance of M/G/infinity."""
    rate, count = 40, 200_000
    times = Times(Exponential(500), Exponential(500))

    result = simulate(*poisson(rate, count), unlimited(), times, seed=1)

    instants = np.arange(20, 4500) * 1_000_000
    begun = np.searchsorted(result.starts, instants, side="right")
    ended = np.searchsorted(np.sort(result.ends), instants, side="right")
    assert (begun - ended).mean() == pytest.approx(20, rel=0.02)
    assert (begun - ended).var() == pytest.approx(20, rel=0.07)


def test_rare_request_is_cold_after_the_idle_limit() -> None:
    """Gaps are exponential: the share is exp(-rate * idle limit)."""
    count, rate, idle = 100_000, 1 / 300, 300
    times = Times(Constant(1), Constant(1))

    result = simulate(*poisson(rate, count), unlimited(idle_seconds=idle), times)

    assert result.cold.sum() / count == pytest.approx(math.exp(-rate * idle), abs=0.005)


def test_shares_match_a_published_simulation() -> None:
    """SimFaaS's example (Mahmoudi and Khazaei 2021, github.com/pacslab/simfaas): 0.9 requests/s,
    1.991 s warm, 2.244 s cold, kept 600 s idle: 0.14 % cold, 1.7879 busy on average."""
    times, count = Times(Exponential(2244), Exponential(1991)), 250_000

    result = simulate(*poisson(0.9, count), unlimited(idle_seconds=600), times, seed=1)

    assert result.cold.sum() / count == pytest.approx(0.0014, abs=0.0003)
    assert result.latencies.sum() / (result.end - result.starts[0]) == pytest.approx(
        1.7879, rel=0.01
    )
