"""When the requests of a run are due: the only thing that the client knows of a plan."""

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from local.common.cli import UsageError

Seconds = NDArray[np.float64]
Arrivals = Literal["constant", "poisson"]

MOST_REQUESTS: Final = 20_000_000
"""8 bytes a request for its due time and about 100 for its result: 2.2 GB."""

MOST_RATE: Final = 1_000_000.0
"""Requests per second; far more than a client can send."""

_LONGEST_SECONDS: Final = 366 * 86_400.0

_SHORTEST_PERIOD: Final = 1e-6
"""Seconds. Rates of much shorter periods are infinite in floating point."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The due times of a run. An open loop: a request is due at its time even if earlier ones are
    still in flight."""

    due: Seconds
    """Seconds from the start of the run, ascending, shape [requests]."""
    span: float | None
    """Seconds in which the requests are due, with the interval after the last one; None if all are
    due at once."""
    description: str
    """The plan in words, such as "10 waves of 50, one every 2 s"."""
    plan: dict[str, Any]
    """The plan as it is written to JSON; "kind" is waves, rate, profile or replay."""
    wave_size: int | None = None
    """Requests in each wave; None if they are not due in waves."""

    @property
    def requests(self) -> int:
        return len(self.due)

    @property
    def offered_rps(self) -> float | None:
        """Requests due per second; None if all are due at once."""
        return self.requests / self.span if self.span else None

    @property
    def most_at_once(self) -> int:
        """The largest number of requests that are due at the same time."""
        _, counts = np.unique(self.due, return_counts=True)
        return int(counts.max(initial=0))


@dataclass(frozen=True)
class WavePlan:
    """`repeat` waves of `parallel` requests each, one every `period` seconds."""

    parallel: int
    period: float
    repeat: int

    def __post_init__(self) -> None:
        if self.parallel < 1:
            raise UsageError(f"N must be 1 or more; it is {self.parallel}.")
        if not (math.isfinite(self.period) and self.period >= 0):
            raise UsageError(f"T must be 0 seconds or more; it is {self.period:g}.")
        if 0 < self.period < _SHORTEST_PERIOD:
            raise UsageError(f"T must be 0, or a microsecond or more; it is {self.period:g}.")
        if self.repeat < 1:
            raise UsageError(f"R must be 1 or more; it is {self.repeat}.")
        check_requests(self.requests, "Use a smaller N or R")

    @property
    def requests(self) -> int:
        return self.parallel * self.repeat

    def schedule(self) -> Schedule:
        one = self.repeat == 1
        with np.errstate(over="ignore"):  # a run refuses such times
            waves = np.arange(self.repeat) * float(self.period)
        return Schedule(
            due=np.repeat(waves, self.parallel),
            span=self.period * self.repeat if self.period > 0 and not one else None,
            description=f"{self.parallel} in parallel"
            if one
            else f"{self.repeat} waves of {self.parallel}, one every {self.period:g} s",
            plan={
                "kind": "waves",
                "parallel": self.parallel,
                "period_s": self.period,
                "repeat": self.repeat,
            },
            wave_size=self.parallel,
        )


@dataclass(frozen=True, eq=False)
class RateProfile:
    """A rate that changes in straight lines between points. A step is two points at one time."""

    times: Seconds
    """Seconds from the start, ascending from 0, shape [points >= 2]; the last is the end."""
    rates: Seconds
    """Requests per second at those times, 0 or more, shape [points]."""

    @classmethod
    def steady(cls, rate: float, seconds: float) -> "RateProfile":
        return cls.ramp(rate, rate, seconds)

    @classmethod
    def ramp(cls, first: float, last: float, seconds: float) -> "RateProfile":
        return cls(np.array([0.0, seconds]), np.array([first, last], dtype=np.float64))

    def __post_init__(self) -> None:
        values = [*self.times, *self.rates]
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise UsageError("Rates and times must be finite numbers of 0 or more.")
        gaps = np.diff(self.times)
        if len(self.times) < 2 or self.times[0] != 0 or (gaps < 0).any():
            raise UsageError("The times of a profile must start at 0 and ascend.")
        if self.requests < 1:
            raise UsageError("No request is due. Use a higher rate or more time.")
        check_requests(self.requests, "Use a lower rate or less time")
        check_seconds(self.seconds, "Use less time")
        if self.rates.max() > MOST_RATE:
            raise UsageError(
                f"A rate is at most {MOST_RATE:,.0f} requests/s; this one is "
                f"{self.rates.max():.4g}. Use a lower rate."
            )
        # Rounded: differences of decimal numbers are inexact.
        if ((gaps > 0) & (gaps.round(7) < _SHORTEST_PERIOD)).any():
            raise UsageError("Times must be a microsecond or more apart. Use more time.")

    @property
    def seconds(self) -> float:
        return float(self.times[-1])

    @property
    def requests(self) -> float:
        """The expected number of requests: the integral of the rate."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.trapezoid(self.rates, self.times))

    def schedule(self, arrivals: Arrivals = "constant", seed: int = 0) -> Schedule:
        """seed: of the Poisson process. Raises `UsageError` if that has no arrivals."""
        due = self.due(arrivals, seed)
        if not len(due):
            raise UsageError("No request is due with this seed. Use a higher rate or more time.")
        points = {"times_s": self.times.tolist(), "rates_rps": self.rates.tolist()}
        return Schedule(
            due=due,
            span=self.seconds,
            description=f"{self._describe()}, {arrivals} arrivals",
            plan={
                "kind": "rate" if len(self.times) == 2 else "profile",
                **points,
                "arrivals": arrivals,
                "seed": seed if arrivals == "poisson" else None,
            },
        )

    def _describe(self) -> str:
        first, last, seconds = self.rates[0], self.rates[-1], f"{self.seconds:g} s"
        if len(self.times) > 2:
            low, high = self.rates.min(), self.rates.max()
            return f"a profile of {low:g} to {high:g} requests/s over {seconds}"
        if first == last:
            return f"{first:g} requests/s for {seconds}"
        return f"{first:g} to {last:g} requests/s in {seconds}"

    def due(self, arrivals: Arrivals, seed: int) -> Seconds:
        """The due times: constant intervals (1 / rate), or a Poisson process with this rate.

        Both place a sequence of counts through the inverse of the integral of the rate: 0, 1, 2,
        ... or sums of exponential intervals of mean 1 (Cinlar, Introduction to Stochastic
        Processes, 1975, section 4.7).
        """
        total = self.requests
        if arrivals == "constant":
            # Whole numbers below the total, which floating point may leave just above one.
            counts = np.arange(math.ceil(round(total, 9)), dtype=np.float64)
        else:
            random = np.random.default_rng(seed)
            most = int(total + 10 * math.sqrt(total) + 20)
            counts = np.cumsum(random.exponential(size=most))
            counts = counts[counts < total]
        return self._times_of(counts)

    def _times_of(self, counts: Seconds) -> Seconds:
        """The times at which the integral of the rate reaches `counts`."""
        widths = np.diff(self.times)
        areas = widths * (self.rates[1:] + self.rates[:-1]) / 2
        ends = np.cumsum(areas)
        segment = np.minimum(np.searchsorted(ends, counts, side="right"), len(areas) - 1)
        within = counts - (ends - areas)[segment]
        first = self.rates[:-1][segment]
        slope = np.divide(np.diff(self.rates), widths, out=np.zeros_like(widths), where=widths > 0)[
            segment
        ]
        # first * t + slope * t^2 / 2 = within, solved without cancellation.
        root = np.sqrt(np.maximum(first**2 + 2 * slope * within, 0))
        late = np.divide(
            2 * within, first + root, out=np.zeros_like(within), where=first + root > 0
        )
        return self.times[:-1][segment] + late


def check_requests(requests: float, advice: str) -> None:
    """Raises `UsageError` if a run has more requests than the client can hold."""
    if requests > MOST_REQUESTS:
        shown = f"{requests:,.0f}" if requests < 1e15 else "far more"
        raise UsageError(
            f"A run has at most {MOST_REQUESTS:,} requests; this one has {shown}. {advice}."
        )


def check_seconds(seconds: float, advice: str) -> None:
    """Raises `UsageError` if the last request of a run is due too late."""
    if seconds > _LONGEST_SECONDS:
        days = seconds / 86_400
        when = f"after {days:,.0f} days" if days < 1e15 else "far later"
        raise UsageError(
            f"A run takes at most a year; the last request of this one is due {when}. {advice}."
        )
