"""What a search has found: in words, as a table, and for JSON."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from local.loadtest.capacity.search import AGREEING, Interval, Search
from local.loadtest.capacity.step import Criteria, Step
from local.loadtest.environment import Environment

Status = Literal["found", "imprecise", "at least", "none", "incomplete"]

TABLE_HEADER: Final = (
    f"{'requests/s':>10}{'answered/s':>12}{'requests':>10}{'failed':>8}{'p50 ms':>10}{'p99 ms':>10}"
    f"{'growth':>9}"
)

_GROWTH_HELP: Final = "growth: how fast latency grows, in ms per second of load"


@dataclass
class Result:
    """All measurements of a search, in order."""

    target: str
    search: Search
    criteria: Criteria
    steps: list[Step] = field(default_factory=list)
    alone: str = ""
    """What became of single requests, if that ended the search."""
    gone: str = ""
    """How requests fail since the service crashed, if that ended the search."""
    ended: bool = False
    """Whether the search came to its end: not if it was stopped, or the time was up."""
    stopped_by: int | None = None

    @property
    def interval(self) -> Interval | None:
        """None if nothing passed or nothing failed."""
        passed = {step.passed for step in self.steps}
        return self.search.interval(self.steps) if passed == {True, False} else None

    @property
    def status(self) -> Status:
        if self.stopped_by is not None or self.gone:
            return "incomplete"
        if not any(step.passed for step in self.steps):
            return "none" if self.ended and not self.client_limit else "incomplete"
        if self.client_limit or self.search.is_lower_bound(self.steps) or self.interval is None:
            return "at least"
        return "found" if self.search.is_precise(self.interval) else "imprecise"

    @property
    def client_limit(self) -> str | None:
        """A sentence if measurements fail because of the client where the capacity seems to be.
        None if the highest load of the search passed, which is the bound then, or if the service
        crashed."""
        failed = [step for step in self.steps if not step.passed]
        if not failed or self.gone or self.search.is_lower_bound(self.steps):
            return None
        edge = self.interval.high if self.interval else min(step.load for step in failed)
        near = [step for step in failed if step.load <= _NEAR * edge] or failed
        late = [step.client_limit for step in near if step.client_limit]
        service = len(near) - len(late)
        return late[-1] if service < min(len(late), AGREEING) else None

    @property
    def load(self) -> float | None:
        """The load that the service sustains; a lower bound if `status` is "at least"."""
        status, interval = self.status, self.interval
        if status == "at least":
            return self.highest_passed
        if status in ("none", "incomplete") or interval is None:
            return None
        if self.search.shape.whole:
            return float(math.floor(interval.median))
        estimate = interval.median
        if status == "imprecise":
            estimate = min(estimate, self.highest_passed or estimate)
        return float(f"{estimate:.4g}")

    @property
    def rate(self) -> float | None:
        """`load` in requests per second."""
        return None if self.load is None else self.search.shape.rate(self.load)

    @property
    def highest_passed(self) -> float | None:
        """The highest load that passed more often than not."""
        passed = [load for load in self._loads() if self._mostly(load, passed=True)]
        return max(passed, default=None)

    @property
    def lowest_failed(self) -> float | None:
        """The lowest load above `highest_passed` that did not pass more often than not."""
        above = self.highest_passed or 0.0
        failed = [load for load in self._loads() if self._mostly(load, passed=False)]
        return min((load for load in failed if load > above), default=None)

    def counts(self, load: float) -> tuple[int, int]:
        """How often a load passed, and how often it was measured."""
        passed = [step.passed for step in self.steps if step.load == load]
        return sum(passed), len(passed)

    def _loads(self) -> set[float]:
        return {step.load for step in self.steps}

    def _mostly(self, load: float, *, passed: bool) -> bool:
        good, measured = self.counts(load)
        return 2 * good > measured if passed else 2 * good < measured

    # In words

    def verdict(self) -> str:
        """The result in a few lines."""
        limit = None if self.status == "none" else self.client_limit
        lines = [limit] if limit else []
        lines.append(self._sentence())
        known = [
            f"{word}{self.search.shape.name(load)} ({good} of {measured} measurements passed)"
            for word, load in (
                ("highest that passed:      ", self.highest_passed),
                ("lowest above that failed: ", self.lowest_failed),
            )
            if load is not None
            for good, measured in [self.counts(load)]
        ]
        return "\n".join([*lines, *known])

    def _sentence(self) -> str:
        shape, status, load = self.search.shape, self.status, self.load
        if status == "incomplete":
            return f"incomplete, {self._why_incomplete()}; no result"
        if load is None:
            lowest = f"{self.lowest_failed:.4g} requests/s fail" if self.lowest_failed else ""
            alone = f"one request at a time {self.alone}" if self.alone else lowest
            return f"sustainable: none; {alone} ({self._limits()})"
        rate = f"{shape.rate(load):.4g} requests/s"
        detail = f", in {shape.name(load)}" if shape.whole else ""
        if status == "at least":
            return f"sustainable: at least {rate}{detail} ({self._limits()})"
        assert self.interval is not None
        low, high = self._rates(self.interval)
        sure = f"95 % interval {low:.4g} to {high:.4g}"
        wide = "" if status == "found" else ", wider than asked for: use a longer --for"
        return f"sustainable: {rate}{detail}; {sure}{wide} ({self._limits()})"

    def _why_incomplete(self) -> str:
        if self.stopped_by is not None:
            return "because it was stopped"
        if self.gone:
            return f"because even single requests fail now ({self.gone})"
        reason = "the client was the limit" if self.client_limit else "the time was up"
        return f"because {reason}"

    def _limits(self) -> str:
        return f"p99 within {self.criteria.limit_ms:g} ms, failures within " + (
            f"{self.criteria.failures * 100:g} %"
        )

    # For JSON

    def as_dict(self, environment: Environment) -> dict[str, Any]:
        shape, load, interval = self.search.shape, self.load, self.interval
        complete = self.status in ("found", "imprecise")
        return {
            "status": self.status,
            "client_limit": self.client_limit,
            "target": self.target,
            "limit_ms": self.criteria.limit_ms,
            "failures_limit": self.criteria.failures,
            "precision": self.search.precision,
            **shape.as_dict(),
            "sustainable_rps": self.rate,
            "wave": load if shape.whole else None,
            "interval_rps": self._rates(interval) if complete and interval else None,
            "highest_passed": self._known(self.highest_passed),
            "lowest_failed": self._known(self.lowest_failed),
            "stopped": self.stopped_by is not None,
            "command": environment.command,
            "versions": environment.versions,
            "steps": [{**asdict(step), "passed": step.passed} for step in self.steps],
        }

    def _rates(self, interval: Interval) -> list[float]:
        """The ends of the interval in requests per second."""
        shape = self.search.shape
        return [
            shape.rate(math.floor(end) if shape.whole else float(f"{end:.4g}"))
            for end in (interval.low, interval.high)
        ]

    def _known(self, load: float | None) -> dict[str, float] | None:
        if load is None:
            return None
        passed, measured = self.counts(load)
        return {"rps": self.search.shape.rate(load), "passed": passed, "measured": measured}


_NEAR: Final = 1.2
"""Failures up to this factor above the interval count for whether the client was the limit."""


def row(step: Step) -> str:
    """A line of the table."""
    p50, p99 = ("-" if value is None else f"{value:.1f}" for value in (step.p50_ms, step.p99_ms))
    return (
        f"{step.offered_rps:>10.4g}{step.throughput_rps:>12.4g}{step.requests:>10}"
        f"{step.failures:>8}{p50:>10}{p99:>10}{step.growth * 1000:>9.1f}  {step.word}"
    )


def introduction(result: Result) -> str:
    """The lines above the table."""
    return "\n".join([f"{result.target}: {result.search.shape.title}", _GROWTH_HELP, TABLE_HEADER])
