"""Simulates a closed loop: a number of requests in flight all the time, until all are answered.

S3 Batch Operations calls a function this way: the next object is due when one of those in flight
has ended. A throttled request is tried again, `RETRY` later.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from local.simulation.durations import DurationStream, Microseconds, Times
from local.simulation.scaling import Environments, Limits

RETRY: Final = 10_000
"""Microseconds until a throttled request is tried again, an assumption"""


@dataclass(frozen=True)
class ClosedLoopResult:
    end: int
    """The last response, in microseconds"""
    throttled: int
    """429s; each was tried again, so their number follows from `RETRY`"""
    warm_durations: Microseconds
    cold_durations: Microseconds


def run_closed_loop(
    requests: int, parallel: int, limits: Limits, times: Times, seed: int = 0
) -> ClosedLoopResult:
    """`requests` requests, at least one, `parallel` of which are in flight."""
    random = np.random.default_rng(seed).spawn(3)
    new = DurationStream(times.cold, random[0])
    used = DurationStream(times.warm, random[1])
    environments = Environments(limits, new, used, DurationStream(times.warm, random[2]))
    now, left, throttled = 0, requests, 0
    while True:
        due = min(left, parallel - environments.in_flight(now))
        counts = environments.admit(now, due)
        served = counts.provisioned + counts.warm + counts.cold
        left -= served
        throttled += due - served
        if not left:
            return ClosedLoopResult(environments.ends[1], throttled, used.collect(), new.collect())
        again = now + RETRY
        if environments.in_flight(now):
            following = environments.ends[0]
            now = min(following, again) if served < due else following
        else:
            now = again
