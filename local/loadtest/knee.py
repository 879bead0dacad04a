"""Search for the knee: the largest wave that a service answers within a latency limit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from local.common.cli import UsageError
from local.loadtest.schedule import WavePlan
from local.loadtest.stats import Summary

_PRECISION: Final = 0.05
"""The search ends when the largest passing and the smallest failing size are this close."""


@dataclass(frozen=True)
class Search:
    """The criterion: no failures and a p99 latency of at most `limit_ms`."""

    limit_ms: float
    period: float
    repeat: int
    most: int

    def __post_init__(self) -> None:
        WavePlan(self.most, self.period, self.repeat)
        if self.period == 0:
            raise UsageError("T must be more than 0 seconds.")
        if not 0 < self.limit_ms <= self.period * 1000:
            raise UsageError(
                f"--limit must be more than 0 and at most T ({self.period * 1000:g} ms): a slower "
                "service falls behind and sustains no rate."
            )


@dataclass(frozen=True)
class Step:
    """Waves of one size. Latencies in milliseconds, rates in requests per second."""

    parallel: int
    offered_rps: float
    throughput_rps: float
    failures: int
    p50_ms: float | None
    p99_ms: float | None
    good: bool

    @classmethod
    def from_summary(cls, summary: Summary, search: Search) -> "Step":
        p99 = summary.latency_ms.p99
        parallel = int(summary.plan["parallel"])
        return cls(
            parallel=parallel,
            offered_rps=parallel / search.period,
            throughput_rps=summary.throughput_rps,
            failures=summary.failures,
            p50_ms=summary.latency_ms.p50,
            p99_ms=p99,
            good=not summary.failures and p99 is not None and p99 <= search.limit_ms,
        )

    def row(self) -> str:
        p50, p99 = (
            "-" if value is None else f"{value:.1f}" for value in (self.p50_ms, self.p99_ms)
        )
        verdict = "good" if self.good else "bad"
        return (
            f"{self.parallel:>6}{self.offered_rps:>12.1f}{p50:>10}{p99:>10}{self.failures:>8}"
            f"  {verdict}"
        )


TABLE_HEADER: Final = f"{'wave':>6}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'failed':>8}"


@dataclass(frozen=True)
class Curve:
    """All measured steps, in order."""

    target: str
    search: Search
    steps: list[Step]

    def last_by_size(self) -> list[Step]:
        """The last measurement of each size: a size that fails is measured twice."""
        return list({step.parallel: step for step in self.steps}.values())

    @property
    def knee(self) -> Step | None:
        """The largest good step below every bad one."""
        least_bad = min(
            (step.parallel for step in self.last_by_size() if not step.good), default=None
        )
        good = [
            step
            for step in self.last_by_size()
            if step.good and (least_bad is None or step.parallel < least_bad)
        ]
        return max(good, key=lambda step: step.parallel, default=None)

    @property
    def is_lower_bound(self) -> bool:
        """Whether every size was good, so that the service may sustain more."""
        return all(step.good for step in self.last_by_size())

    def verdict(self) -> str:
        knee = self.knee
        if knee is None:
            return f"sustainable: none; one request at a time exceeds {self._limit()}"
        bound = "at least " if self.is_lower_bound else ""
        return (
            f"sustainable: {bound}{knee.offered_rps:.1f} requests/s, in waves of {knee.parallel} "
            f"every {self.search.period:g} s (p99 {knee.p99_ms:.1f} ms, within {self._limit()})"
        )

    def as_dict(self) -> dict[str, Any]:
        knee = self.knee
        return {
            "target": self.target,
            "limit_ms": self.search.limit_ms,
            "period_s": self.search.period,
            "repeat": self.search.repeat,
            "sustainable_rps": knee and knee.offered_rps,
            "wave": knee and knee.parallel,
            "steps": [vars(step) for step in self.steps],
        }

    def _limit(self) -> str:
        return f"{self.search.limit_ms:g} ms"


def find_knee(search: Search, measure: Callable[[int], Step]) -> None:
    """Measure waves of 1, 2, 4, ... requests up to the first bad size or `search.most`, then
    bisect. A size is bad only if it fails twice, as one failure may be noise."""

    def is_good(parallel: int) -> bool:
        return measure(parallel).good or measure(parallel).good

    good, size = 0, 1
    while is_good(size):
        good = size
        if size == search.most:
            return
        size = min(size * 2, search.most)
    bad = size
    while bad - good > max(1, _PRECISION * good):
        middle = (good + bad) // 2
        if is_good(middle):
            good = middle
        else:
            bad = middle
