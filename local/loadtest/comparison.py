"""Two runs compared: is b slower than a, beyond chance and beyond a tolerance?

Requests of one moment resemble one another, so chance is not that of single requests. A bootstrap
draws parts of each run again: stretches of blocks (seconds or waves, see blocks.py), each an eighth
of the run long (the circular moving-block bootstrap of Politis and Romano, 1992). Their spread is
the standard error of a figure, enlarged by n / (n - length) because stretches overlap. Student's t
with the degrees of freedom of eight stretches (of both runs together after Welch, 1947) gives the
interval. Shorter stretches, lengths chosen from the data (Politis and White, 2004), or percentiles
of the resampled differences as the interval find differences between equal runs too often if
seconds resemble their neighbours. `python -m tests.measure.compare_power` measures it.

Several figures are judged at once. Each gets its share of the 5 % in which equal runs may seem to
differ (Bonferroni). The measured share is higher, up to 10 % without a tolerance, only where a run
is short beside the time for which its seconds resemble one another.

Written with numpy: SciPy has a bootstrap, but none of blocks, and is no dependency of the load lab.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from local.loadtest.blocks import RATIO, Blocks
from local.loadtest.schedule import Seconds

Verdict = Literal["worse", "better", "same", "unknown"]

LEAST_BLOCKS: Final = 10
"""With fewer blocks, a spread cannot be told from chance."""
STRETCHES: Final = 8
"""Of blocks in a run; see above."""
RESAMPLES: Final = 1000
"""A standard error is then known to 2 %: 1 / sqrt(2 * RESAMPLES)."""
ERROR: Final = 0.05
"""The chance that equal runs seem to differ."""
TOLERANCE: Final = 0.02

FAILURES: Final = "failures"
RATE: Final = "rate"
MEAN: Final = "mean"
QUANTILES: Final[Mapping[str, float]] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
METRICS: Final = (*QUANTILES, MEAN, FAILURES, RATE)
"""Latencies in milliseconds, failures as a share of requests, and the rate in responses/s."""
JUDGED: Final = ("p50", "p99")
"""By default. Failures are always judged, too: refusing requests must not look fast."""


@dataclass(frozen=True)
class Difference:
    """A figure of both runs. `change` is b / a - 1; of failures it is b - a. None: the figure
    cannot be had, or has no interval."""

    metric: str
    a: float | None
    b: float | None
    change: float | None
    low: float | None
    high: float | None
    judged: bool
    verdict: Verdict
    """Of b. "worse" and "better" are certain, and beyond the tolerance."""


@dataclass(frozen=True)
class Comparison:
    """The differences in the order of `METRICS`."""

    differences: list[Difference]
    tolerance: float
    confidence: float
    """Of each interval."""
    blocks: tuple[int, int]
    """Of a and of b."""

    @property
    def is_possible(self) -> bool:
        """Whether both runs are long enough for intervals."""
        return min(self.blocks) >= LEAST_BLOCKS

    @property
    def judged(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.judged]

    @property
    def is_regression(self) -> bool:
        return any(difference.verdict == "worse" for difference in self.judged)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare_blocks(
    a: Blocks,
    b: Blocks,
    *,
    judged: Sequence[str] = JUDGED,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> Comparison:
    """Compare two runs. `judged` are some of `METRICS`; `tolerance` is a share of a's figure, and
    does not apply to failures. The same seed gives the same intervals."""
    chosen = {*judged, FAILURES}
    error = ERROR / len(chosen)
    random = np.random.default_rng(seed)
    possible = min(len(a), len(b)) >= LEAST_BLOCKS
    found = [_Figures(blocks, random if possible else None) for blocks in (a, b)]
    return Comparison(
        [
            _difference(metric, found[0], found[1], error, tolerance, metric in chosen)
            for metric in METRICS
        ],
        tolerance,
        1 - error,
        (len(a), len(b)),
    )


def estimates(blocks: Blocks) -> dict[str, float | None]:
    """Each of `METRICS` of a run, from its blocks. Percentiles are nearest-rank, placed within
    their bin in proportion to the rank; None without answers."""
    values = _estimates(blocks, np.ones((1, len(blocks))))
    return {
        metric: None if math.isnan(value[0]) else float(value[0])
        for metric, value in values.items()
    }


def quantiles(blocks: Blocks, weights: Seconds, share: float) -> Seconds:
    """The quantile of latency in milliseconds for each row of weights, shape [rows, blocks]; NaN
    without answers."""
    return _quantile(_cumulative(blocks, weights), share, blocks.first_bin)


def _cumulative(blocks: Blocks, weights: Seconds) -> Seconds:
    """Answers below the lower edge of each bin and, last, of all bins, shape [rows, bins + 1]."""
    below = np.zeros((len(weights), blocks.histograms.shape[1] + 1))
    np.cumsum(weights @ blocks.histograms.astype(np.float64), axis=1, out=below[:, 1:])
    return below


class _Figures:
    """The figures of a run and, with `random`, of `RESAMPLES` resampled runs."""

    def __init__(self, blocks: Blocks, random: np.random.Generator | None) -> None:
        self.values = estimates(blocks)
        count = len(blocks)
        self._resampled: Mapping[str, Seconds] = {}
        if random is not None:
            length = math.ceil(count / STRETCHES)
            self._resampled = _estimates(blocks, _weights(count, length, random))
            self.freedom = count / length - 1
            self._enlarged = count / (count - length)

    def variance(self, metric: str, log: bool) -> float | None:
        """Of the figure, or of its logarithm. None if it is unknown."""
        if metric not in self._resampled:
            return None
        values = self._resampled[metric]
        if log:
            with np.errstate(divide="ignore"):
                values = np.log(values)
        known = values[np.isfinite(values)]
        if len(known) < RESAMPLES / 2:
            return None
        return float(known.var(ddof=1)) * self._enlarged


def _difference(  # noqa: PLR0913, PLR0917
    metric: str, a: _Figures, b: _Figures, error: float, tolerance: float, judged: bool
) -> Difference:
    first, second = a.values[metric], b.values[metric]
    log = metric != FAILURES
    if first is None or second is None or (log and not (first > 0 and second > 0)):
        return Difference(metric, first, second, None, None, None, judged, "unknown")
    step = math.log(second / first) if log else second - first
    change = math.expm1(step) if log else step
    variances = a.variance(metric, log), b.variance(metric, log)
    if variances[0] is None or variances[1] is None:
        return Difference(metric, first, second, change, None, None, judged, "unknown")
    both = variances[0] + variances[1]
    half = 0.0
    if both > 0:
        freedom = both**2 / (variances[0] ** 2 / a.freedom + variances[1] ** 2 / b.freedom)
        half = student_t(1 - error / 2, freedom) * math.sqrt(both)
    low, high = step - half, step + half
    if log:
        low, high = math.expm1(low), math.expm1(high)
    allowed = tolerance if log else 0.0
    verdict: Verdict = "same"
    if low > allowed:
        verdict = "better" if metric == RATE else "worse"
    elif high < -allowed:
        verdict = "worse" if metric == RATE else "better"
    return Difference(metric, first, second, change, low, high, judged, verdict)


def _weights(count: int, length: int, random: np.random.Generator) -> Seconds:
    """How often each resampled run has each block, shape [RESAMPLES, count]."""
    starts = random.integers(0, count, (RESAMPLES, math.ceil(count / length), 1))
    drawn = ((starts + np.arange(length)) % count).reshape(RESAMPLES, -1)[:, :count]
    rows = np.arange(RESAMPLES)[:, None] * count
    counts = np.bincount((rows + drawn).ravel(), minlength=RESAMPLES * count)
    weights: Seconds = counts.reshape(RESAMPLES, count).astype(np.float64)
    return weights


def _estimates(blocks: Blocks, weights: Seconds) -> dict[str, Seconds]:
    """Each of `METRICS` for rows of weights, shape [rows, blocks]; NaN if it cannot be had."""
    below = _cumulative(blocks, weights)
    answered = below[:, -1]
    values = {
        metric: _quantile(below, share, blocks.first_bin) for metric, share in QUANTILES.items()
    }
    values[MEAN] = _ratio(weights @ blocks.total_ms, answered)
    values[FAILURES] = _ratio(weights @ blocks.failures, weights @ blocks.requests)
    values[RATE] = _ratio(weights @ blocks.arrived, weights @ blocks.seconds)
    return values


def _ratio(above: Seconds, below: Seconds) -> Seconds:
    ratio: Seconds = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return ratio


def _quantile(below: Seconds, share: float, first: int) -> Seconds:
    """The nearest-rank quantile of each row of `_cumulative`, in milliseconds."""
    answered = below[:, -1]
    rank = np.ceil(share * answered - 1e-9)
    column = np.maximum((below < rank[:, None]).sum(axis=1) - 1, 0)
    rows = np.arange(len(below))
    start = below[rows, column]
    inside = below[rows, np.minimum(column + 1, below.shape[1] - 1)] - start
    place = first + column + _ratio(rank - start - 0.5, inside)
    values: Seconds = np.where(answered > 0, RATIO**place / 1000, np.nan)
    return values


def student_t(probability: float, freedom: float) -> float:
    """The quantile of Student's t distribution for a probability from 0.5 to 0.9999 and at least
    three degrees of freedom: the integral of the density, inverted."""
    grid: NDArray[np.float64] = np.linspace(0, 60, 20_001)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    density = scale / math.sqrt(freedom * math.pi) * (1 + grid**2 / freedom) ** (-(freedom + 1) / 2)
    steps = (density[1:] + density[:-1]) / 2 * np.diff(grid)
    integral = np.concatenate([[0.0], np.cumsum(steps)])
    return float(np.interp(probability - 0.5, integral, grid))
