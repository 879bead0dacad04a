"""Mean, extremes and nearest-rank percentiles of durations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from local.loadtest.schedule import Seconds


@dataclass(frozen=True)
class Percentiles:
    """Durations in milliseconds, rounded to the microsecond; None without durations."""

    min: float | None
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    max: float | None


def percentile(ordered: Sequence[float] | Seconds, percent: float) -> float:
    """The nearest-rank percentile of ascending values: the smallest value that at least `percent`
    of every hundred values do not exceed."""
    return float(ordered[_rank(percent, len(ordered))])


def percentiles(seconds: Seconds) -> Percentiles:
    """seconds: durations in any order; NaN is left out."""
    finite = seconds[np.isfinite(seconds)]
    if not len(finite):
        return Percentiles(*[None] * 8)
    ranks = [_rank(percent, len(finite)) for percent in (50, 90, 95, 99, 99.9)]
    placed = np.partition(finite, sorted({0, *ranks, len(finite) - 1}))
    values = [placed[0], finite.mean(), *placed[ranks], placed[-1]]
    return Percentiles(*(round(float(value) * 1000, 3) for value in values))


def _rank(percent: float, count: int) -> int:
    """The index of a nearest-rank percentile among `count` ascending values."""
    # Rounded, as 99.9 / 100 is a little above 0.999 in floating point.
    return max(0, math.ceil(round(percent * count / 100, 6)) - 1)
