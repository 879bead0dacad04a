"""Simulates a plan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from local.loadtest.schedule import Seconds
from local.simulation.durations import DurationStream, Microseconds, Times
from local.simulation.scaling import SECOND, Environments, Limits

Counts = NDArray[np.int64]
Outcomes = NDArray[np.int32]


@dataclass(frozen=True)
class SimulationResult:
    """The result of a plan; times and durations in microseconds. Requests that arrive at the same
    instant are counted together, in arrays of shape [instants]."""

    starts: Microseconds
    """The instants, ascending, from the start of the first run."""
    arrivals: Counts
    provisioned: Outcomes
    warm: Outcomes
    cold: Outcomes
    over_concurrency: Outcomes
    over_request_rate: Outcomes
    over_scaling_rate: Outcomes

    provisioned_durations: Microseconds
    """of each request in a provisioned environment, in order; likewise the next two"""
    warm_durations: Microseconds
    cold_durations: Microseconds
    preparations: Microseconds
    """the start-up time of each provisioned environment, before the first request"""
    peak_concurrency: int
    peak_on_demand: int
    """on-demand environments, busy or idle"""

    @property
    def latencies(self) -> Microseconds:
        """Of every answered request, in no particular order."""
        return np.concatenate(
            [self.provisioned_durations, self.warm_durations, self.cold_durations]
        )

    @property
    def warm_latencies(self) -> Microseconds:
        """Of requests in a provisioned or a used environment."""
        return np.concatenate([self.provisioned_durations, self.warm_durations])

    @property
    def ends(self) -> Microseconds:
        """The end of each answered request, in the order of `latencies`."""
        kinds = [self.provisioned, self.warm, self.cold]
        return np.concatenate([np.repeat(self.starts, kind) for kind in kinds]) + self.latencies

    @property
    def end(self) -> int:
        """The last response, or the last request if that is later."""
        return max(int(self.starts[-1]), int(self.ends.max(initial=0)))


class Simulation:
    """A function and its environments, which go on from run to run."""

    def __init__(self, limits: Limits, times: Times, seed: int = 0) -> None:
        random = np.random.default_rng(seed).spawn(3)
        self._new = DurationStream(times.cold, random[0])
        self._used = DurationStream(times.warm, random[1])
        self._ready = DurationStream(times.warm, random[2])
        self._new.take(limits.provisioned)
        self._preparations = self._new.collect()
        self._environments = Environments(limits, self._new, self._used, self._ready)

    def run(self, starts: Microseconds, arrivals: Counts) -> SimulationResult:
        """`arrivals` requests at `starts` (microseconds, ascending, at least one, not before the
        last of the previous run)."""
        environments = self._environments
        environments.start_peaks(int(starts[0]))
        provisioned, warm, cold, *over = environments.run(starts, arrivals).T
        preparations, self._preparations = self._preparations, self._preparations[:0]
        return SimulationResult(
            starts=starts,
            arrivals=arrivals,
            provisioned=provisioned,
            warm=warm,
            cold=cold,
            over_concurrency=over[0],
            over_request_rate=over[1],
            over_scaling_rate=over[2],
            provisioned_durations=self._ready.collect(),
            warm_durations=self._used.collect(),
            cold_durations=self._new.collect(),
            preparations=preparations,
            peak_concurrency=environments.peak_in_flight,
            peak_on_demand=environments.peak_on_demand,
        )


def simulate(
    starts: Microseconds, arrivals: Counts, limits: Limits, times: Times, seed: int = 0
) -> SimulationResult:
    """`arrivals` requests at `starts` (microseconds, ascending), at least one."""
    return Simulation(limits, times, seed).run(starts, arrivals)


def instants(due: Seconds) -> tuple[Microseconds, Counts]:
    """The instants at which requests are due, in whole microseconds, and how many at each."""
    return np.unique(np.rint(due * SECOND).astype(np.int64), return_counts=True)
