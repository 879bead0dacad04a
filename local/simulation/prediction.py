"""Forecast of a plan: simulation, percentiles and cost."""

from dataclasses import asdict, dataclass

import numpy as np

from local.loadtest.percentiles import percentiles
from local.loadtest.schedule import Schedule
from local.simulation.durations import Microseconds, Times
from local.simulation.month import Month, month
from local.simulation.pricing import Bill, FunctionConfig, bill
from local.simulation.scaling import SECOND, Limits
from local.simulation.simulate import Simulation, SimulationResult, instants


@dataclass(frozen=True)
class Prediction:
    schedule: Schedule
    limits: Limits
    function: FunctionConfig
    times: Times
    seed: int
    result: SimulationResult
    bill: Bill
    """Of one run of the plan."""
    month: Month | None
    """Of the plan repeated; None if all requests are due at once."""

    @property
    def requests(self) -> int:
        return self.schedule.requests

    @property
    def answered(self) -> int:
        return len(self.result.latencies)

    @property
    def throttled(self) -> int:
        return self.requests - self.answered

    @property
    def cold_starts(self) -> int:
        return len(self.result.cold_durations)

    @property
    def last_cold_s(self) -> float | None:
        """When the last request with a cold start was due, in seconds."""
        cold = np.flatnonzero(self.result.cold)
        return float(self.result.starts[cold[-1]]) / SECOND if len(cold) else None

    @property
    def throughput_s(self) -> float:
        """The seconds over which throughput counts: those in which requests are due (R waves every
        T seconds: R times T), or if all are due at once, those until the last response."""
        return self.schedule.span or self.result.end / SECOND

    @property
    def throughput_rps(self) -> float:
        """Answers within `throughput_s`, divided by it."""
        # A sum of floating-point due times may be a little above the instant in microseconds.
        within = self.result.ends <= round(self.throughput_s * SECOND)
        return float(within.sum()) / self.throughput_s

    @property
    def usd_a_million(self) -> float | None:
        """Per million answered requests of one run, without what is billed by the hour; None
        without any."""
        usd = self.bill.total - self.bill.by_the_hour
        return usd / self.answered * 1e6 if self.answered else None

    def as_json(self) -> dict[str, object]:
        """Keys shared with a load report have the same meaning."""
        result = self.result
        return {
            "requests": self.requests,
            "answered": self.answered,
            "failures": self.throttled,
            "throughput_rps": self.throughput_rps,
            "throughput_over": "span" if self.schedule.span else "time to the last answer",
            "throughput_s": self.throughput_s,
            "offered_rps": self.schedule.offered_rps,
            "span_s": self.schedule.span,
            "wall_s": result.end / SECOND,
            "latency_ms": statistics_ms(result.latencies),
            "warm_ms": statistics_ms(result.warm_latencies),
            "cold_ms": statistics_ms(result.cold_durations),
            "cold_starts": self.cold_starts,
            "cold_share": self.cold_starts / self.answered if self.answered else None,
            "last_cold_s": self.last_cold_s,
            "provisioned": int(result.provisioned.sum()),
            "throttled": {
                "concurrency": int(result.over_concurrency.sum()),
                "request_rate": int(result.over_request_rate.sum()),
                "scaling_rate": int(result.over_scaling_rate.sum()),
            },
            "peak_concurrency": result.peak_concurrency,
            "peak_environments": result.peak_on_demand + self.limits.provisioned,
            "cost_usd": {
                **{key: value for key, value in asdict(self.bill).items() if key != "gb_seconds"},
                "total": self.bill.total,
                "a_million": self.usd_a_million,
            },
            "month": asdict(self.month) if self.month else None,
            "billed_gb_seconds": self.bill.gb_seconds,
            "plan": self.schedule.plan,
            "limits": asdict(self.limits),
            "function": asdict(self.function),
            "durations": {"cold": str(self.times.cold), "warm": str(self.times.warm)},
            "seed": self.seed,
        }


def predict(  # noqa: PLR0913
    schedule: Schedule,
    limits: Limits,
    function: FunctionConfig,
    times: Times,
    seed: int = 0,
    *,
    hours_per_day: float = 24,
) -> Prediction:
    """Simulates the plan, and for the cost of a month, its repetition. Raises `UsageError` if the
    plan is longer than `hours_per_day`, which must be above 0 and at most 24."""
    starts, arrivals = instants(schedule.due)
    simulation = Simulation(limits, times, seed)
    result = simulation.run(starts, arrivals)
    monthly = None
    if schedule.span:
        again = simulation.run(starts + round(schedule.span * SECOND), arrivals)
        monthly = month(result, again, schedule.span, function, hours_per_day)
    cost = bill(result, function)
    return Prediction(schedule, limits, function, times, seed, result, cost, monthly)


def statistics_ms(durations: Microseconds) -> dict[str, float | None]:
    """min, mean, p50, p90, p95, p99, p99_9 and max in milliseconds; None without durations.
    Percentiles are nearest-rank, so that none falls between warm and cold."""
    return asdict(percentiles(durations / SECOND))
