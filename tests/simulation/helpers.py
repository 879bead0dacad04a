"""Durations, limits and plans for tests of the simulation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from local.loadtest.schedule import WavePlan
from local.simulation.durations import Constant, Microseconds, Times
from local.simulation.scaling import SECOND, Limits
from local.simulation.simulate import SimulationResult, instants, simulate

UNLIMITED = 10**9


@dataclass(frozen=True)
class Exponential:
    mean_ms: float

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        return np.ceil(random.exponential(self.mean_ms * 1000, count)).astype(np.int64)


@dataclass(frozen=True)
class InTurn:
    """Cycles through these microseconds."""

    us: Sequence[int]

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        return np.resize(np.array(self.us, np.int64), count)


def unlimited(concurrency: int = UNLIMITED, idle_seconds: float = Limits.idle_seconds) -> Limits:
    """Only the given limits."""
    return Limits(concurrency, idle_seconds=idle_seconds, scaling_step=UNLIMITED)


def waves(
    size: int, interval: float, count: int, cold_ms: float, warm_ms: float, *, limits: Limits
) -> SimulationResult:
    due = WavePlan(size, interval, count).schedule().due
    return simulate(*instants(due), limits, Times(Constant(cold_ms), Constant(warm_ms)))


def poisson(rate: float, count: int, seed: int = 7) -> tuple[Microseconds, Microseconds]:
    """`count` single arrivals at `rate` per second."""
    gaps = np.random.default_rng(seed).exponential(SECOND / rate, count)
    return np.cumsum(gaps).astype(np.int64), np.ones(count, np.int64)


def erlang_b(servers: int, load: float) -> float:
    """The share of Poisson arrivals that find all servers busy (Erlang 1917)."""
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = load * blocked / (busy + load * blocked)
    return blocked
