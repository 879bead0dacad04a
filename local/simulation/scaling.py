"""How Lambda scales one function: assigns requests to environments, or throttles them (429).

An environment serves one request at a time. A request goes to a free provisioned environment, else
to the on-demand environment that became idle last, else to a new one: a cold start. Requests above
the function's concurrency, its request rate or the rate of new environments are throttled and not
retried. An environment is free from the instant its request ends; an on-demand one expires after
being idle for longer than the limit.

A request is throttled by one limit: the first that it meets, in this order.

1. Concurrency: as many requests as the limit are in flight, those of the same instant included.
2. Request rate: requests were served faster than 10 a second for each unit of concurrency.
3. Scaling rate: no environment is free, and new ones come at 1,000 every 10 s.

So a limit is named only if it was reached. The reasons that AWS gives with a 429 distinguish
concurrency from rate (API reference of Invoke, TooManyRequestsException). AWS documents neither the
order nor whether throttled requests count towards the request rate: here they do not, and they take
nothing from the other limits. AWS states the scaling rate as 1,000 environments
or 10,000 requests/s more every 10 s. As new environments serve at most 10 requests/s each, the
second is the same limit for them and is not counted twice; only a function with more than 1,000
warm environments could meet it alone, which is not simulated.

AWS does not document which idle environment is used; the most recently used one is an assumption.
So is that a request never switches from the new environment being created for it to one that
becomes idle first.

Time is a whole number of microseconds. A wave is processed at once, on slices of sorted lists: the
same few interpreter steps for a thousand requests as for one. A stretch of time in which every
request finds an environment is processed with arrays (`local.simulation.stretch`). The tests
reproduce a published result of SimFaaS (Mahmoudi and Khazaei 2021).
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from local.simulation import aws_figures
from local.simulation.durations import DurationStream, Microseconds
from local.simulation.stretch import Pool, first, in_flight, instants_with_idle, pool_after
from local.simulation.token_bucket import TokenBucket

SECOND: Final = 1_000_000
"""Microseconds in a second."""

_LEAST: Final = 256
"""Instants for which a stretch is tried first; twice as many whenever all of it was one."""

_WORTH_IT: Final = 64
"""Instants for which arrays are not slower than lists."""

_MOST: Final = 65_536
"""The most requests of a stretch."""

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
    """Counts of the outcomes of requests that arrived at the same instant. At most one of the
    limits has throttled requests."""

    provisioned: int
    warm: int
    cold: int
    over_concurrency: int
    over_request_rate: int
    over_scaling_rate: int


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
        self._new = TokenBucket(limits.scaling_step, round(limits.scaling_seconds * SECOND))
        self._requests = TokenBucket(limits.requests_per_second * limits.concurrency, SECOND)
        # Ascending times: when a busy environment becomes free, or an idle one became free.
        self._busy: list[int] = []
        self._busy_provisioned: list[int] = []
        self._idle: list[int] = []
        self.peak_in_flight = 0
        self.peak_on_demand = 0
        """on-demand environments, busy or idle"""

    def run(self, starts: Microseconds, arrivals: Microseconds) -> NDArray[np.int32]:
        """Assign `arrivals` requests at each of `starts` (microseconds, ascending). Returns the
        fields of `WaveCounts`, shape [instants, 6]."""
        counts = np.zeros((len(starts), len(WaveCounts._fields)), np.int32)
        begun = np.concatenate([[0], np.cumsum(arrivals)])
        longest = min(self._idle_limit, self._requests.longest)
        at, most, singles = 0, _LEAST, 1
        while at < len(starts):
            few = np.searchsorted(begun, begun[at] + _MOST, "right") - 1
            soon = np.searchsorted(starts, starts[at] + longest, "right")
            end = int(min(at + most, few, soon))
            done = self._run_stretch(starts[at:end], arrivals[at:end], counts[at:end])
            if done and at + done == end:
                at, most, singles = end, min(2 * most, _MOST), 1
                continue
            # Where stretches are short, they are tried less and less often.
            at, most = at + done, _LEAST
            singles = 1 if done >= _WORTH_IT else min(2 * singles, _MOST)
            end = min(at + singles, len(starts))
            admitted = map(self.admit, starts[at:end].tolist(), arrivals[at:end].tolist())
            flat = np.fromiter(chain.from_iterable(admitted), np.int32)
            counts[at:end] = flat.reshape(end - at, -1)
            at = end
        return counts

    def _run_stretch(
        self, starts: Microseconds, arrivals: Microseconds, counts: NDArray[np.int32]
    ) -> int:
        """Assign requests up to the first that finds no idle environment. Returns the number of
        instants and fills `counts`."""
        if len(starts) < _WORTH_IT:
            return 0
        self._advance_to(int(starts[0]))
        if self._provisioned_size:
            return self._run_provisioned(starts, arrivals, counts)
        if not self._idle:
            return 0
        pool = Pool(np.array(self._busy, np.int64), np.array(self._idle, np.int64))
        durations = self._warm.ahead(int(arrivals.sum()))
        level = in_flight(starts, arrivals, durations, pool.busy)
        done = min(
            instants_with_idle(starts, level, pool, self._idle_limit),
            self._requests.instants(starts, arrivals),
        )
        if not done:
            return 0
        starts, arrivals, level = starts[:done], arrivals[:done], level[:done]
        requests = int(arrivals.sum())
        self._requests.take_all(starts, arrivals)
        self._warm.skip(requests)
        pool = pool_after(starts, arrivals, durations[:requests], level, pool)
        self._busy, self._idle = pool.busy.tolist(), pool.idle.tolist()
        self.peak_in_flight = max(self.peak_in_flight, int(level.max()))
        counts[:done, WaveCounts._fields.index("warm")] = arrivals
        return done

    def _run_provisioned(
        self, starts: Microseconds, arrivals: Microseconds, counts: NDArray[np.int32]
    ) -> int:
        """As `_run_stretch`, while provisioned environments are idle."""
        on_demand = np.array(self._busy, np.int64)
        if len(on_demand) + self._provisioned_size > self._concurrency:
            return 0
        busy = np.array(self._busy_provisioned, np.int64)
        durations = self._provisioned.ahead(int(arrivals.sum()))
        level = in_flight(starts, arrivals, durations, busy)
        done = min(first(level > self._provisioned_size), self._requests.instants(starts, arrivals))
        if not done:
            return 0
        starts, arrivals, level = starts[:done], arrivals[:done], level[:done]
        requests = int(arrivals.sum())
        self._requests.take_all(starts, arrivals)
        self._provisioned.skip(requests)
        ends = np.concatenate([busy, np.repeat(starts, arrivals) + durations[:requests]])
        self._busy_provisioned = np.sort(ends[ends > starts[-1]]).tolist()
        others = len(on_demand) - np.searchsorted(on_demand, starts, "right")
        self.peak_in_flight = max(self.peak_in_flight, int((level + others).max()))
        counts[:done, WaveCounts._fields.index("provisioned")] = arrivals
        return done

    def in_flight(self, now: int) -> int:
        """The requests in flight at `now` (never decreasing)."""
        self._advance_to(now)
        return len(self._busy) + len(self._busy_provisioned)

    @property
    def ends(self) -> tuple[int, int]:
        """When the first and the last of the requests in flight end; of at least one."""
        busy = [each for each in (self._busy, self._busy_provisioned) if each]
        return min(each[0] for each in busy), max(each[-1] for each in busy)

    def start_peaks(self, now: int) -> None:
        """Forget peaks before `now`."""
        self._advance_to(now)
        self.peak_in_flight = len(self._busy) + len(self._busy_provisioned)
        self.peak_on_demand = len(self._busy) + len(self._idle)

    def admit(self, now: int, arrivals: int) -> WaveCounts:
        """Assign requests that arrive at `now` (microseconds, never decreasing)."""
        self._advance_to(now)
        busy, busy_provisioned, idle = self._busy, self._busy_provisioned, self._idle
        room = self._concurrency - len(busy) - len(busy_provisioned)
        tokens = self._requests.available(now)
        most = min(arrivals, room, tokens)
        provisioned = warm = cold = 0
        if self._provisioned_size:
            provisioned = min(most, self._provisioned_size - len(busy_provisioned))
            _start(busy_provisioned, now, self._provisioned.take(provisioned))
        if idle:
            warm = min(most - provisioned, len(idle))
            del idle[len(idle) - warm :]
            _start(busy, now, self._warm.take(warm))
        wanted = most - provisioned - warm
        if wanted:
            cold = min(wanted, self._new.available(now))
            self._new.take(cold)
            _start(busy, now, self._cold.take(cold))
            # A new environment is only needed when none is idle.
            self.peak_on_demand = max(self.peak_on_demand, len(busy))
        served = provisioned + warm + cold
        self._requests.take(served)
        self.peak_in_flight = max(self.peak_in_flight, len(busy) + len(busy_provisioned))
        over = [0, 0, 0]
        if served < arrivals:
            # Throttled requests change nothing, so the rest meets the same limit as the first.
            over[0 if served == room else 1 if served == tokens else 2] = arrivals - served
        return WaveCounts(provisioned, warm, cold, *over)

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
