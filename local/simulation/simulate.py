"""Simulates waves of requests."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from local.simulation.durations import DurationStream, Microseconds, Times
from local.simulation.scaling import SECOND, Environments, Limits, WaveCounts

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class SimulationResult:
    """The result of R waves; times and durations in microseconds, counts by wave, shape [R]."""

    starts: Microseconds
    arrivals: Counts
    provisioned: Counts
    warm: Counts
    cold: Counts
    over_concurrency: Counts
    over_request_rate: Counts
    over_scaling_rate: Counts

    provisioned_durations: Microseconds
    """of each request in a provisioned environment, in order; likewise the next two"""
    warm_durations: Microseconds
    cold_durations: Microseconds
    preparations: Microseconds
    """the start-up time of each provisioned environment, before the first wave"""
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
    def span(self) -> int:
        """From the first wave to the last response, or to the last wave if that is later."""
        last = max(int(self.starts[-1]), int(self.ends.max(initial=0)))
        return last - int(self.starts[0])


def wave_plan(size: int, interval_seconds: float, waves: int) -> tuple[Microseconds, Counts]:
    """`waves` waves of `size` requests, the first at 0: start times and request counts."""
    starts = np.rint(np.arange(waves) * (interval_seconds * SECOND)).astype(np.int64)
    return starts, np.full(waves, size)


def simulate(
    starts: Microseconds, arrivals: Counts, limits: Limits, times: Times, seed: int = 0
) -> SimulationResult:
    """Waves of `arrivals` requests at `starts` (microseconds, ascending), at least one wave."""
    random = np.random.default_rng(seed).spawn(3)
    new = DurationStream(times.cold, random[0])
    used = DurationStream(times.warm, random[1])
    ready = DurationStream(times.warm, random[2])
    preparations = np.array(new.take(limits.provisioned), np.int64)
    environments = Environments(limits, new, used, ready)
    admitted = map(environments.admit, starts.tolist(), arrivals.tolist())
    width = len(WaveCounts._fields)
    flat = np.fromiter(chain.from_iterable(admitted), np.int64, width * len(starts))
    provisioned, warm, cold, *over = flat.reshape(-1, width).T
    return SimulationResult(
        starts=starts,
        arrivals=arrivals,
        provisioned=provisioned,
        warm=warm,
        cold=cold,
        over_concurrency=over[0],
        over_request_rate=over[1],
        over_scaling_rate=over[2],
        provisioned_durations=ready.taken(),
        warm_durations=used.taken(),
        cold_durations=new.taken()[limits.provisioned :],
        preparations=preparations,
        peak_concurrency=environments.peak_in_flight,
        peak_on_demand=environments.peak_on_demand,
    )
