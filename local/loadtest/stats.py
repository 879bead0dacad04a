"""Statistics of a run."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from local.loadtest.breakdown import Breakdown, break_down
from local.loadtest.concurrency import peak_concurrency
from local.loadtest.environment import Environment
from local.loadtest.honesty import client_limit, lack_of_resources
from local.loadtest.parts import Part, parts_of
from local.loadtest.percentiles import Percentiles, percentiles
from local.loadtest.run import ClientUse, Connections, Run, latency, lateness, service
from local.loadtest.service_metrics import ServiceView
from local.loadtest.slowest import SlowRequest, slowest_answers

ThroughputOver = Literal["span", "time until the stop", "time to the last answer"]


@dataclass(frozen=True)
class Summary:
    """A run. `latency_ms` and `service_ms` cover only requests answered with predictions: an error
    is fast and a timeout equals its limit, so failures are counted instead. `lateness_ms` covers
    every request that was due."""

    client_limit: str | None
    """A sentence if the client was the limit: the figures are not the service's."""
    target: str
    description: str
    """The plan in words."""
    plan: dict[str, Any]
    """`Schedule.plan`."""
    connections: Connections
    command: str
    versions: dict[str, str]
    start: str
    """Due time 0, in UTC, ISO 8601."""
    end: str
    """The end of the last request, in UTC, ISO 8601."""
    planned: int
    """Requests in the plan."""
    requests: int
    """Requests that were due: all of the plan, unless the run was stopped early. Each is answered,
    failed or in flight."""
    answered: int
    failures: int
    in_flight: int
    failures_by_kind: dict[str, int]
    """Most frequent first."""
    span_s: float | None
    """The time in which the requests of the plan are due; None if all are due at once."""
    wall_s: float
    """From the start of the run to the end of the last request."""
    throughput_rps: float
    """Answers that arrived within a time, divided by it."""
    throughput_over: ThroughputOver
    """Which time: the span; of a run that was stopped earlier, the time until then; without a span,
    the time to the last answer."""
    throughput_s: float
    """That time in seconds."""
    offered_rps: float | None
    """Requests due per second of the span."""
    peak_concurrency: int
    latency_ms: Percentiles
    service_ms: Percentiles
    lateness_ms: Percentiles
    waves: list[Part]
    """Each wave; empty beyond fifty waves and without waves."""
    periods: list[Part]
    """At most fifty periods of time; empty if `waves` is not."""
    stopped: bool
    client: ClientUse | None
    breakdown: Breakdown | None
    """Where the time of the answered requests went."""
    slowest: list[SlowRequest]
    """The slowest answers."""
    service: ServiceView | None
    """What the service's own /metrics say of the run."""

    @property
    def parts(self) -> list[Part]:
        """The waves, or the periods."""
        return self.waves or self.periods

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize(
    run: Run, environment: Environment | None = None, view: ServiceView | None = None
) -> Summary:
    """The statistics of a run, made under `environment`. `view` is that of the service."""
    environment = environment or Environment()
    records, schedule = run.records, run.schedule
    answered = records["failure"] == 0
    kinds = failures_by_kind(run)
    wall = float(records["ended"].max(initial=0))
    over, seconds = _throughput_time(run, wall)
    in_time = int((records["ended"][answered] <= seconds).sum())
    latency_ms = percentiles(latency(records)[answered])
    lateness_ms = percentiles(lateness(records))
    parts = parts_of(run)
    by_wave = any(part.wave is not None for part in parts)
    limit = lack_of_resources(kinds) or client_limit(
        lateness_ms.p50, lateness_ms.p99, latency_ms.p50, latency_ms.p99
    )
    return Summary(
        client_limit=limit,
        target=run.target,
        description=schedule.description,
        plan=schedule.plan,
        connections=run.connections,
        command=environment.command,
        versions=environment.versions,
        start=iso_utc(run.start_epoch),
        end=iso_utc(run.start_epoch + wall),
        planned=schedule.requests,
        requests=len(records),
        answered=int(answered.sum()),
        failures=sum(kinds.values()),
        in_flight=int((records["failure"] == 1).sum()),
        failures_by_kind=kinds,
        span_s=schedule.span,
        wall_s=round(wall, 6),
        throughput_rps=round(in_time / seconds, 3) if seconds > 0 else 0.0,
        throughput_over=over,
        throughput_s=round(seconds, 6),
        offered_rps=schedule.offered_rps,
        peak_concurrency=peak_concurrency(records),
        latency_ms=latency_ms,
        service_ms=percentiles(service(records)[answered]),
        lateness_ms=lateness_ms,
        waves=parts if by_wave else [],
        periods=[] if by_wave else parts,
        stopped=run.stopped_by is not None,
        client=run.client,
        breakdown=break_down(run, kinds, limit),
        slowest=slowest_answers(run),
        service=view,
    )


def failures_by_kind(run: Run) -> dict[str, int]:
    """Requests by kind of failure, most frequent first, without those in flight."""
    counts = np.bincount(run.records["failure"], minlength=len(run.kinds))
    found = [(kind, int(count)) for kind, count in zip(run.kinds, counts, strict=True) if count]
    failed = [(kind, count) for kind, count in found if kind not in run.kinds[:2]]
    return dict(sorted(failed, key=lambda pair: -pair[1]))


def iso_utc(epoch: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")


def _throughput_time(run: Run, wall: float) -> tuple[ThroughputOver, float]:
    """Over which time throughput counts, in seconds. Beyond the span, a run only waits for its
    last answers."""
    span = run.schedule.span
    if span is None:
        ended = run.records["ended"][run.records["failure"] == 0]
        return "time to the last answer", float(ended.max(initial=0))
    if run.stopped_by is not None and wall < span:
        return "time until the stop", wall
    return "span", span
