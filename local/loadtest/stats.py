"""Statistics of a run."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from local.loadtest.client.runner import Run
from local.loadtest.plan import WavePlan
from local.loadtest.result import ANSWERED, IN_FLIGHT, RequestResult

PERCENTILES: Final = (50, 90, 95, 99)


@dataclass(frozen=True)
class Percentiles:
    """Percentiles and maximum of durations in milliseconds; None without durations."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True)
class WaveSummary:
    """One wave. Durations in milliseconds, times in seconds from the start of the run."""

    wave: int
    due_s: float
    requests: int
    failures: int
    in_flight: int
    last_answer_s: float | None
    latency_ms: Percentiles
    lateness_ms: Percentiles


@dataclass(frozen=True)
class Summary:
    """A run. `latency_ms` and `service_ms` cover only requests answered with predictions: an error
    is fast and a timeout equals its limit, so failures are counted instead. `lateness_ms` covers
    every request that was due."""

    target: str
    parallel: int
    period_s: float
    repeat: int
    planned: int
    """Requests in the plan: N times R."""
    requests: int
    """Requests that were due: all of the plan, unless the run was stopped early. Each is answered,
    failed or in flight."""
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
    latency_ms: Percentiles
    service_ms: Percentiles
    lateness_ms: Percentiles
    waves: list[WaveSummary]
    stopped: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of ascending values: the smallest value that at least `percent`
    of every hundred values do not exceed."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def percentiles(seconds: Iterable[float]) -> Percentiles:
    """seconds: durations. The result is in milliseconds, rounded to the microsecond."""
    ordered = sorted(seconds)
    if not ordered:
        return Percentiles(None, None, None, None, None)
    values = [percentile(ordered, rank) for rank in PERCENTILES]
    return Percentiles(*(round(seconds * 1000, 3) for seconds in [*values, ordered[-1]]))


def concurrency(results: Iterable[RequestResult]) -> list[tuple[float, int]]:
    """The number of requests in flight from each time (seconds of `time.perf_counter`) on."""
    changes = Counter[float]()
    for result in results:
        changes[result.started] += 1
        changes[result.ended] -= 1
    level = 0
    levels = []
    for time in sorted(changes):
        level += changes[time]
        levels.append((time, level))
    return levels


def summarize(run: Run) -> Summary:
    """The statistics of a run."""
    results = run.results
    answered = [result for result in results if result.failure == ANSWERED]
    kinds = Counter(result.failure for result in results if _failed(result))
    wall = max((result.ended for result in results), default=run.start) - run.start
    return Summary(
        target=run.target,
        parallel=run.plan.parallel,
        period_s=run.plan.period,
        repeat=run.plan.repeat,
        planned=run.plan.requests,
        requests=len(results),
        answered=len(answered),
        failures=kinds.total(),
        in_flight=len(results) - len(answered) - kinds.total(),
        failures_by_kind=dict(kinds.most_common()),
        wall_s=round(wall, 6),
        throughput_rps=round(len(answered) / wall, 3) if wall > 0 else 0.0,
        offered_rps=run.plan.offered_rps,
        peak_concurrency=max((level for _, level in concurrency(results)), default=0),
        latency_ms=percentiles(result.latency for result in answered),
        service_ms=percentiles(result.service for result in answered),
        lateness_ms=percentiles(result.lateness for result in results),
        waves=_waves(run.plan, results, run.start),
        stopped=run.stopped_by is not None,
    )


def _waves(plan: WavePlan, results: Iterable[RequestResult], start: float) -> list[WaveSummary]:
    by_wave: dict[int, list[RequestResult]] = {}
    for result in results:
        by_wave.setdefault(result.wave, []).append(result)
    return [_wave(number, plan.due(number), by_wave[number], start) for number in sorted(by_wave)]


def _wave(number: int, due: float, results: Sequence[RequestResult], start: float) -> WaveSummary:
    answered = [result for result in results if result.failure == ANSWERED]
    last = max((result.ended - start for result in answered), default=None)
    return WaveSummary(
        wave=number,
        due_s=round(due, 6),
        requests=len(results),
        failures=sum(_failed(result) for result in results),
        in_flight=sum(result.failure == IN_FLIGHT for result in results),
        last_answer_s=None if last is None else round(last, 6),
        latency_ms=percentiles(result.latency for result in answered),
        lateness_ms=percentiles(result.lateness for result in results),
    )


def _failed(result: RequestResult) -> bool:
    return result.failure not in (ANSWERED, IN_FLIGHT)
