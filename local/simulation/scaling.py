"""How Lambda scales one function: assigns requests to environments, or throttles them (429).

An environment serves one request at a time. A request goes to a free provisioned environment, else
to the on-demand environment that became idle last, else to a new one: a cold start. Requests above
the function's concurrency, its request rate or the rate of new environments are throttled and not
retried. An environment is free from the instant its request ends; an on-demand one expires after
being idle for longer than the limit.

AWS does not document which idle environment is used; the most recently used one is an assumption.
So is that a request never switches from the new environment being created for it to one that
becomes idle first.

Time is a whole number of microseconds. A wave is processed at once, on slices of sorted lists: the
same few interpreter steps for a thousand requests as for one. The tests reproduce a published
result of SimFaaS (Mahmoudi and Khazaei 2021).
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import Final, NamedTuple

from local.simulation import aws_figures
from local.simulation.durations import DurationStream

SECOND: Final = 1_000_000
"""Microseconds in a second."""

_FEW: Final = 8
"""Up to this many insertions are cheaper than sorting."""


@dataclass(frozen=True)
class Limits:
    """The limits of a function."""

    concurrency: int = int(aws_figures.CONCURRENCY.value)
    """simultaneous requests: the reserved concurrency, or the account's"""
    provisioned: int = 0
    """environments that are ready from the start and never expire, at most `concurrency`"""
    idle_seconds: float = aws_figures.IDLE.value * 60
    scaling_step: int = int(aws_figures.SCALING_STEP.value)
    """new environments per scaling interval"""
    scaling_seconds: float = aws_figures.SCALING_INTERVAL.value
    requests_per_second: int = int(aws_figures.REQUEST_RATE.value)
    """per unit of concurrency"""


class WaveCounts(NamedTuple):
    """Counts of the outcomes of requests that arrived at the same instant."""

    provisioned: int
    warm: int
    cold: int
    over_concurrency: int
    over_request_rate: int
    over_scaling_rate: int


class _TokenBucket:
    """A token bucket in integers: full at first, `size` tokens refilled per `interval` us."""

    def __init__(self, size: int, interval: int) -> None:
        self._size = size
        self._interval = interval
        self._level = self._full = size * interval
        self._now = 0

    def take(self, now: int, wanted: int) -> int:
        """Take up to `wanted` tokens; returns how many."""
        self._level += (now - self._now) * self._size
        self._now = now
        self._level = min(self._level, self._full)
        taken = min(wanted, self._level // self._interval)
        self._level -= taken * self._interval
        return taken


class Environments:
    """The execution environments of one function over time."""

    def __init__(
        self,
        limits: Limits,
        cold: DurationStream,
        warm: DurationStream,
        provisioned: DurationStream,
    ) -> None:
        """cold, warm, provisioned: durations of requests in a new environment, a used on-demand
        one, and a provisioned one."""
        self._concurrency = limits.concurrency
        self._provisioned_size = limits.provisioned
        self._cold, self._warm, self._provisioned = cold, warm, provisioned
        self._idle_limit = round(limits.idle_seconds * SECOND)
        self._new = _TokenBucket(limits.scaling_step, round(limits.scaling_seconds * SECOND))
        self._requests = _TokenBucket(limits.requests_per_second * limits.concurrency, SECOND)
        # Ascending times: when a busy environment becomes free, or an idle one became free.
        self._busy: list[int] = []
        self._busy_provisioned: list[int] = []
        self._idle: list[int] = []
        self.peak_in_flight = 0
        self.peak_on_demand = 0
        """on-demand environments, busy or idle"""

    def admit(self, now: int, arrivals: int) -> WaveCounts:
        """Assign requests that arrive at `now` (microseconds, never decreasing)."""
        self._advance_to(now)
        busy, busy_provisioned, idle = self._busy, self._busy_provisioned, self._idle
        in_flight = len(busy) + len(busy_provisioned)
        room = min(arrivals, self._concurrency - in_flight)
        admitted = self._requests.take(now, room)
        provisioned = warm = cold = 0
        if self._provisioned_size:
            provisioned = min(admitted, self._provisioned_size - len(busy_provisioned))
            _start(busy_provisioned, now, self._provisioned.take(provisioned))
        if idle:
            warm = min(admitted - provisioned, len(idle))
            del idle[len(idle) - warm :]
            _start(busy, now, self._warm.take(warm))
        wanted = admitted - provisioned - warm
        if wanted:
            cold = self._new.take(now, wanted)
            _start(busy, now, self._cold.take(cold))
            # A new environment is only needed when none is idle.
            self.peak_on_demand = max(self.peak_on_demand, len(busy))
        self.peak_in_flight = max(self.peak_in_flight, len(busy) + len(busy_provisioned))
        return WaveCounts(provisioned, warm, cold, arrivals - room, room - admitted, wanted - cold)

    def _advance_to(self, now: int) -> None:
        if self._busy_provisioned and self._busy_provisioned[0] <= now:
            del self._busy_provisioned[: bisect_right(self._busy_provisioned, now)]
        if self._busy and self._busy[0] <= now:
            free = bisect_right(self._busy, now)
            self._idle += self._busy[:free]
            del self._busy[:free]
        if self._idle and self._idle[0] < now - self._idle_limit:
            del self._idle[: bisect_left(self._idle, now - self._idle_limit)]


def _start(busy: list[int], now: int, durations: list[int]) -> None:
    if len(durations) <= _FEW:
        for duration in durations:
            insort(busy, now + duration)
    else:
        busy += [now + duration for duration in durations]
        busy.sort()
