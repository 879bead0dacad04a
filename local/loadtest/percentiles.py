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
    # Rounded, as 99.9 / 100 is a little above 0.999 in floating point.
    rank = math.ceil(round(percent * len(ordered) / 100, 6))
    return float(ordered[max(0, rank - 1)])


def percentiles(seconds: Seconds) -> Percentiles:
    """seconds: durations in any order; NaN is left out."""
    ordered = np.sort(seconds[np.isfinite(seconds)])
    if not len(ordered):
        return Percentiles(*[None] * 8)
    ranks = [percentile(ordered, percent) for percent in (50, 90, 95, 99, 99.9)]
    values = [float(ordered[0]), float(ordered.mean()), *ranks, float(ordered[-1])]
    return Percentiles(*(round(value * 1000, 3) for value in values))
