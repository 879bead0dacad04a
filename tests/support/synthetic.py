"""Runs without a network: latencies from models of a service."""

import math
from typing import Final

import numpy as np

from local.loadtest.run import Run
from local.loadtest.schedule import Schedule, Seconds
from tests.support.runs import make_run

WARM_UP: Final = 20.0
"""Seconds for which a queue runs before the requests that count."""


def lognormal(  # noqa: PLR0917
    random: np.random.Generator,
    schedule: Schedule,
    median_s: float = 0.03,
    sigma: float = 0.35,
    drift: float = 0.05,
    memory: float = 0.5,
) -> Seconds:
    """Lognormal latencies whose level changes from second to second: its logarithm is an
    autoregressive process of standard deviation `drift` and lag-1 correlation `memory`."""
    second = schedule.due.astype(np.int64)
    noise = random.normal(size=int(second.max()) + 1) * drift
    levels = np.empty_like(noise)
    level = noise[0]
    for index, step in enumerate(noise):
        level = memory * level + math.sqrt(1 - memory**2) * step if index else step
        levels[index] = level
    return median_s * np.exp(levels[second] + sigma * random.normal(size=schedule.requests))


def single_server(
    random: np.random.Generator, rate: float, seconds: float, load: float, base_s: float = 0.02
) -> Run:
    """Poisson arrivals at one server with lognormal service times (M/G/1), busy for the share
    `load` of the time, after Lindley's recursion; `base_s` seconds more that do not queue."""
    warm = int(rate * WARM_UP)
    arrivals = np.cumsum(random.exponential(1 / rate, size=warm + int(rate * seconds)))
    service = random.lognormal(0, 0.4, size=len(arrivals))
    service *= load / rate / math.exp(0.4**2 / 2)
    work = np.cumsum(service)
    # The server is idle before a request that no earlier one delays.
    ends = np.maximum.accumulate(arrivals - (work - service)) + work
    due = arrivals[warm:] - arrivals[warm - 1]
    inside = due < seconds
    schedule = Schedule(due[inside], seconds, "", {"kind": "rate", "rate": rate})
    return make_run(schedule, (ends - arrivals)[warm:][inside] + base_s)
