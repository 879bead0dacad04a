"""Which load to measure next, and what is known of the capacity: a probabilistic bisection.

For each possible capacity, `Belief` holds how probable it is after all measurements. The next load
is the median, so each measurement halves what is possible; a measurement that is wrong because of
noise is outvoted by later ones (Waeber, Frazier and Henderson, "Bisection search with noisy
responses", SIAM Journal on Control and Optimization 51, 2013). An ordinary bisection would never
return from the wrong half.

Declined: scipy.optimize.bisect, which takes every measurement for the truth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from local.loadtest.capacity.shapes import Shape
from local.loadtest.capacity.step import Step

Floats = NDArray[np.float64]

_CONFIDENCE: Final = 0.95

_GRID: Final = 0.002
"""Distance of the possible capacities, in the natural logarithm: 0.2 %."""

_DOWN: Final = 16
"""The search looks for a load that passes down to this part of the first one."""

_GROW: Final = 2
"""The next load is at most this many times the highest that passed: a service that gets a hundred
times its capacity may take minutes to recover."""

_STREAK: Final = 3
"""After this many equal verdicts in a row, the search goes beyond the median."""

_LONG_BELOW: Final = 2.2
"""Measurements are long when the ends of the interval are this close: their quotient."""

_NEAR: Final = 1.1
"""At the end, measurements must have passed and failed within this factor of the capacity."""
AGREEING: Final = 2
"""The number of each. A late client is not the limit if as many failed without its lateness."""
_LATE: Final = 4
"""A client that was late in this many measurements is the limit."""

_WRONG: Final = {False: 0.1, True: 0.05}
"""The probability that a short and a long measurement has the wrong verdict, however far the load
is from the capacity: a pause of the machine, for example."""
_WRONG_IF_LATE: Final = 0.25
"""The same for a measurement that did not pass because the client was late."""
_BLUR: Final = {False: 0.05, True: 0.02}
"""Within this part of the capacity, the verdict is up to chance (standard deviation), beside the
error of the growth."""
_ESTIMATE_ERROR: Final = 0.03
_ESTIMATE_ERROR_BY_GROWTH: Final = 0.1
_ESTIMATE_WRONG: Final = 0.03
"""The capacity that follows from the growth of a backlog: its standard deviation, what that gains
with the growth (a service may be slower under overload), and how likely any other capacity is
beside it. These values were chosen, and tests/loadtest/test_capacity_search.py checks them, on
simulated queues."""

_FAR: Final = 100.0
"""Standard deviations; e to this power is still a number."""

_NORMAL_AS_LOGISTIC: Final = 1.702
"""A logistic function with this slope is within 0.01 of the normal distribution (Camilli, Journal
of Educational and Behavioral Statistics 19, 1994)."""


@dataclass(frozen=True)
class Wanted:
    """A measurement to make."""

    load: float
    long: bool


@dataclass(frozen=True)
class Interval:
    """The median of the capacity, and the interval in which it probably is: 95 % if verdicts are as
    reliable as the constants above say."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Search:
    """The range and the precision of a search."""

    shape: Shape
    first: float
    """The load to start with."""
    most: float
    precision: float
    """The search ends when `high` is at most this part above `low`."""

    @property
    def least(self) -> float:
        return 1.0 if self.shape.whole else min(self.first, self.most) / _DOWN

    def next(self, steps: Sequence[Step]) -> Wanted | None:
        """The measurement to make after `steps`, or None at the end."""
        if not steps:
            return self._wanted(self.first, long=False)
        passed = [step.load for step in steps if step.passed]
        interval = self.interval(steps)
        long = interval.high < _LONG_BELOW * interval.low
        if not passed:
            if sum(step.load <= self.shape.rounded(self.least) for step in steps) >= AGREEING:
                return None
            lowest = min(step.load for step in steps)
            # Not above it, however little the failure of a late client says.
            load = min(max(interval.median, lowest / _GROW**2), lowest)
            return self._wanted(load, long=False)
        if self.is_lower_bound(steps):
            return None
        if self.is_precise(interval):
            return self._check(steps, interval)
        load = self._beyond(steps, interval.median)
        return self._wanted(min(load, _GROW * max(passed)), long=long)

    def is_precise(self, interval: Interval) -> bool:
        if self.shape.whole and math.floor(interval.low) == math.floor(interval.high):
            return True
        return interval.high <= (1 + self.precision) * interval.low

    def is_lower_bound(self, steps: Sequence[Step]) -> bool:
        """Whether the highest load passed, twice more often than not."""
        highest = [step.passed for step in steps if step.load >= self.shape.rounded(self.most)]
        return 2 * sum(highest) - len(highest) >= AGREEING

    def interval(self, steps: Sequence[Step]) -> Interval:
        """What is known of the capacity after `steps`."""
        grid = np.arange(math.log(self.least / 2), math.log(max(self.most, self.first) * 2), _GRID)
        belief = np.zeros(len(grid))
        for step in steps:
            belief += _log_likelihood(step, grid)
        probability = np.exp(belief - belief.max())
        cumulated = np.cumsum(probability) / probability.sum()
        tail = (1 - _CONFIDENCE) / 2
        ends = np.searchsorted(cumulated, [tail, 0.5, 1 - tail])
        return Interval(*np.exp(grid[np.minimum(ends, len(grid) - 1)]).tolist())

    def _beyond(self, steps: Sequence[Step], median: float) -> float:
        """The median, or further if the last measurements all had the same verdict: something has
        changed, such as another load on the machine, and the median follows in small steps."""
        last = steps[-1]
        same = next(
            (count for count, step in enumerate(reversed(steps)) if step.passed != last.passed),
            len(steps),
        )
        if same < _STREAK:
            return median
        factor = min(math.pow(1 + self.precision, 2.0 ** (same - _STREAK + 1)), _GROW)
        if last.passed:
            return max(median, last.load * factor)
        return min(median, last.load / factor)

    def _wanted(self, load: float, *, long: bool) -> Wanted:
        load = min(self.shape.rounded(min(max(load, self.least), self.most)), self.most)
        # Waves take as long either way, and the highest load has no other that confirms it.
        return Wanted(load, long or self.shape.whole or load == self.most)

    def _check(self, steps: Sequence[Step], interval: Interval) -> Wanted | None:
        """Measure at the ends of the interval unless enough measurements agree with them: a noisy
        minute may have spoiled all that led there."""
        median = interval.median
        one = int(self.shape.whole)  # 2 is near 1 if there is nothing between them
        least, most = median / _NEAR - one, median * _NEAR + one
        near = [step for step in steps if step.long and least <= step.load <= most]
        slack = 1 + self.precision / 5
        failed = [step for step in near if not step.passed and step.load * slack >= median]
        passed = [step for step in near if step.passed and step.load <= median * slack]
        late = sum(step.client_limit is not None for step in failed)
        if len(failed) - late < AGREEING and late < _LATE:
            return self._wanted(self._above(interval), long=True)
        if len(passed) < AGREEING:
            return self._wanted(interval.low, long=True)
        return None

    def _above(self, interval: Interval) -> float:
        return math.floor(interval.high) + 1 if self.shape.whole else interval.high


def _log_likelihood(step: Step, grid: Floats) -> Floats:
    """The logarithm of the probability of a measurement for each logarithm of the capacity, up to a
    constant."""
    wrong = _WRONG_IF_LATE if step.client_limit else _WRONG[step.long]
    blur = math.hypot(_BLUR[step.long], step.growth_error)
    distance = np.clip((grid - math.log(step.actual_load)) / blur, -_FAR, _FAR)
    passes = wrong + (1 - 2 * wrong) / (1 + np.exp(-_NORMAL_AS_LOGISTIC * distance))
    if step.passed:
        return np.log(passes)
    likelihood = np.log(1 - passes)
    if step.capacity is not None:
        error = math.hypot(
            _ESTIMATE_ERROR, step.growth_error, _ESTIMATE_ERROR_BY_GROWTH * step.growth
        )
        distance = (grid - math.log(step.capacity)) / error
        likelihood += np.log((1 - _ESTIMATE_WRONG) * np.exp(-(distance**2) / 2) + _ESTIMATE_WRONG)
    return likelihood
