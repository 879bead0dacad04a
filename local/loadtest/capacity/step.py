"""One measurement: a run at a load, and whether the service sustained it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from local.loadtest.honesty import ADVICE, MOST_SHARE, client_limit, lack_of_resources
from local.loadtest.run import Records, Run, latency, lateness
from local.loadtest.schedule import Seconds
from local.loadtest.stats import summarize

Reason = Literal["failures", "p99", "backlog"]

_ONE_FAILURE_IN: Final = 100

_PARTS: Final = 9
"""Parts of equal time in which the growth of latency is looked at; of waves, each is one."""


@dataclass(frozen=True)
class Criteria:
    """When a load counts as sustained."""

    limit_ms: float
    """Most p99 of latency."""
    failures: float
    """Most failures as a share of the requests. Unless it is 0, one failure is allowed in a
    measurement of a hundred requests: with fewer than 1 / share, less could not be told."""
    growth: float
    """Most growth of latency in seconds per second: half of it if the growth is known exactly, and
    less of its standard error."""

    def reason(
        self, requests: int, failures: int, p99_ms: float | None, growth: "Growth"
    ) -> Reason | None:
        """Why a load is not sustained, or None."""
        allowed = self.failures * requests
        if self.failures and requests >= _ONE_FAILURE_IN:
            allowed = max(1.0, allowed)
        if failures > allowed or p99_ms is None:
            return "failures"
        if growth.value > min(self.growth, self.growth / 2 + growth.error):
            return "backlog"
        return "p99" if p99_ms > self.limit_ms else None


@dataclass(frozen=True)
class Growth:
    """How fast latency grows, in seconds per second.

    If requests arrive at rate a and a busy service answers b per second, the request that is due at
    time t waits (a/b - 1) t longer than the first: the growth is a/b - 1. Below the capacity, it is
    0, whatever the latency.
    """

    value: float
    error: float
    """Standard error."""

    @classmethod
    def of(cls, run: Run, duration: Callable[[Records], Seconds] = latency) -> "Growth":
        """Between the median latencies of the first and of the last third of the run: a short pause
        does not move a median. Or of the medians of another duration."""
        answered = run.answered
        parts, count = _parts(answered["request"], answered["due"], run)
        third = max(1, round(count / 3))
        early, late = parts < third, parts >= count - third
        if count < 2 or not early.any() or not late.any():
            return cls(0.0, 0.0)
        seconds = duration(answered)
        between = float(answered["due"][late].mean() - answered["due"][early].mean())
        change = float(np.median(seconds[late]) - np.median(seconds[early]))
        return cls(change / between, _growth_error(seconds, parts, between / (count - third)))


def _parts(request: NDArray[np.uint32], due: Seconds, run: Run) -> tuple[NDArray[np.int64], int]:
    """The part of each request, and the number of parts."""
    schedule = run.schedule
    if schedule.wave_size is not None:
        return request.astype(np.int64) // schedule.wave_size, (
            schedule.requests // schedule.wave_size
        )
    count = min(_PARTS, schedule.requests)
    span = schedule.span or math.inf
    return np.minimum((due / span * count).astype(np.int64), count - 1), count


def _growth_error(seconds: Seconds, parts: NDArray[np.int64], width: float) -> float:
    """The standard error of the growth, from the changes of the median latency from one part to the
    next, `width` seconds later: below the capacity, the work of a queue is a random walk."""
    medians = [float(np.median(seconds[parts == part])) for part in np.unique(parts)]
    if len(medians) < 3:
        return 0.0
    changes = np.diff(medians)
    return float(np.std(changes, ddof=1)) / math.sqrt(len(changes)) / width


@dataclass(frozen=True)
class Step:
    """A measurement. Latencies in milliseconds."""

    load: float
    """Requests per second, or requests in each wave."""
    long: bool
    actual_load: float
    """Of Poisson arrivals, the number that was due is random; else the same as `load`."""
    offered_rps: float
    throughput_rps: float
    requests: int
    failures: int
    p50_ms: float | None
    p99_ms: float | None
    lateness_p99_ms: float | None
    growth: float
    growth_error: float
    reason: Reason | None
    """Why it did not pass."""
    client_limit: str | None
    """A sentence if it did not pass because of the client, not of the service."""

    @property
    def passed(self) -> bool:
        return self.reason is None

    @property
    def capacity(self) -> float | None:
        """The load that the service would just have answered, from the growth of its backlog."""
        if self.reason != "backlog" or self.client_limit:
            return None
        return self.actual_load / (1 + self.growth)

    @property
    def word(self) -> str:
        if self.client_limit:
            return "client late"
        return "passed" if self.reason is None else f"not sustained: {self.reason}"


def step_of(run: Run, load: float, *, rate: float, long: bool, criteria: Criteria) -> Step:
    """The measurement that `run` made of a load of `rate` requests per second."""
    summary = summarize(run)
    random = summary.plan.get("arrivals") == "poisson"
    growth = Growth.of(run)
    p99 = summary.latency_ms.p99
    reason = criteria.reason(summary.requests, summary.failures, p99, growth)
    # Lateness only adds to latency: with it, a load that passes passes all the more.
    own = lack_of_resources(summary.failures_by_kind)
    limit = None
    if reason == "backlog":
        # Medians: the growth is one between medians, which few late requests do not move.
        late, taken = summary.lateness_ms.p50, summary.latency_ms.p50
        limit = own or client_limit(late, None, taken, None)
        limit = limit or _limit_of_growth(growth, Growth.of(run, lateness))
    elif reason:
        limit = own if reason == "failures" else summary.client_limit
    return Step(
        load=load,
        long=long,
        actual_load=summary.offered_rps if random and summary.offered_rps else load,
        offered_rps=rate,
        throughput_rps=summary.throughput_rps,
        requests=summary.requests,
        failures=summary.failures,
        p50_ms=summary.latency_ms.p50,
        p99_ms=p99,
        lateness_p99_ms=summary.lateness_ms.p99,
        growth=round(growth.value, 5),
        growth_error=round(growth.error, 5),
        reason=reason,
        client_limit=limit,
    )


def _limit_of_growth(growth: Growth, own: Growth) -> str | None:
    """A sentence if the growth of latency is that of lateness."""
    if own.value <= MOST_SHARE * growth.value:
        return None
    return (
        f"The client was the limit: its own lateness grew by {own.value * 1000:.1f} ms a second, "
        f"more than {MOST_SHARE:.0%} of the growth of latency, {growth.value * 1000:.1f} ms. "
        f"{ADVICE}"
    )
