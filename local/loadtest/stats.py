"""Outcomes -> the numbers of a report."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from local.loadtest.client.runner import Run
from local.loadtest.plan import WavePlan
from local.loadtest.result import ANSWERED, IN_FLIGHT, Outcome

PERCENTILES: Final = (50, 90, 95, 99)


@dataclass(frozen=True)
class Spread:
    """Percentiles and the maximum of some durations, in milliseconds; None where there are none."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True)
class WaveSummary:
    """One wave. Durations are in milliseconds, times in seconds from the start of the run."""

    wave: int
    due_s: float
    requests: int
    failures: int
    in_flight: int
    last_answer_s: float | None
    latency_ms: Spread
    lateness_ms: Spread


@dataclass(frozen=True)
class Summary:
    """A run. `latency_ms` and `service_ms` are of the requests that were answered with
    predictions: a refusal is quick and a timeout only says what the limit is, so failures are
    counted and not mixed in. `lateness_ms` is of every request that was due."""

    target: str
    parallel: int
    period_s: float
    repeat: int
    planned: int
    """Requests in the plan: N times R."""
    requests: int
    """Requests that were due: all of the plan, unless the run was stopped early. Each is answered,
    a failure, or in flight."""
    answered: int
    failures: int
    in_flight: int
    failures_by_kind: dict[str, int]
    wall_s: float
    """From the start of the first wave to the end of the last request."""
    throughput_rps: float
    """Answered requests divided by `wall_s`."""
    offered_rps: float | None
    peak_concurrency: int
    latency_ms: Spread
    service_ms: Spread
    lateness_ms: Spread
    waves: list[WaveSummary]
    stopped: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of ascending values: the smallest of them that at least
    `percent` of a hundred of them do not exceed."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def spread(seconds: Iterable[float]) -> Spread:
    """seconds: durations. The result is in milliseconds, to the microsecond."""
    ordered = sorted(seconds)
    if not ordered:
        return Spread(None, None, None, None, None)
    values = [percentile(ordered, each) for each in PERCENTILES]
    return Spread(*(round(each * 1000, 3) for each in [*values, ordered[-1]]))


def concurrency(outcomes: Iterable[Outcome]) -> list[tuple[float, int]]:
    """How many requests were under way, from each time (seconds of the outcomes' clock) on."""
    changes = Counter[float]()
    for each in outcomes:
        changes[each.started] += 1
        changes[each.ended] -= 1
    level = 0
    levels = []
    for time in sorted(changes):
        level += changes[time]
        levels.append((time, level))
    return levels


def summarize(run: Run) -> Summary:
    """The numbers of a run."""
    outcomes = run.outcomes
    answered = [each for each in outcomes if each.failure == ANSWERED]
    kinds = Counter(each.failure for each in outcomes if _failed(each))
    wall = max((each.ended for each in outcomes), default=run.start) - run.start
    return Summary(
        target=run.target,
        parallel=run.plan.parallel,
        period_s=run.plan.period,
        repeat=run.plan.repeat,
        planned=run.plan.requests,
        requests=len(outcomes),
        answered=len(answered),
        failures=kinds.total(),
        in_flight=len(outcomes) - len(answered) - kinds.total(),
        failures_by_kind=dict(kinds.most_common()),
        wall_s=round(wall, 6),
        throughput_rps=round(len(answered) / wall, 3) if wall > 0 else 0.0,
        offered_rps=run.plan.offered_rps,
        peak_concurrency=max((level for _, level in concurrency(outcomes)), default=0),
        latency_ms=spread(each.latency for each in answered),
        service_ms=spread(each.service for each in answered),
        lateness_ms=spread(each.lateness for each in outcomes),
        waves=_waves(run.plan, outcomes, run.start),
        stopped=run.stopped_by is not None,
    )


def _waves(plan: WavePlan, outcomes: Iterable[Outcome], start: float) -> list[WaveSummary]:
    by_wave: dict[int, list[Outcome]] = {}
    for each in outcomes:
        by_wave.setdefault(each.wave, []).append(each)
    return [_wave(number, plan.due(number), by_wave[number], start) for number in sorted(by_wave)]


def _wave(number: int, due: float, outcomes: Sequence[Outcome], start: float) -> WaveSummary:
    answered = [each for each in outcomes if each.failure == ANSWERED]
    last = max((each.ended - start for each in answered), default=None)
    return WaveSummary(
        wave=number,
        due_s=round(due, 6),
        requests=len(outcomes),
        failures=sum(_failed(each) for each in outcomes),
        in_flight=sum(each.failure == IN_FLIGHT for each in outcomes),
        last_answer_s=None if last is None else round(last, 6),
        latency_ms=spread(each.latency for each in answered),
        lateness_ms=spread(each.lateness for each in outcomes),
    )


def _failed(outcome: Outcome) -> bool:
    return outcome.failure not in (ANSWERED, IN_FLIGHT)
