"""Forecast of a plan: simulation, percentiles and cost."""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from local.simulation.durations import Microseconds, Times
from local.simulation.pricing import Bill, FunctionConfig, bill
from local.simulation.scaling import SECOND, Limits
from local.simulation.simulate import SimulationResult, simulate, wave_plan

PERCENTILES: Final = (50, 90, 95, 99)


@dataclass(frozen=True)
class Plan:
    """`waves` waves of `size` simultaneous requests, one every `interval_seconds`, start to start;
    a wave never waits for another."""

    size: int
    interval_seconds: float
    waves: int


@dataclass(frozen=True)
class Prediction:
    plan: Plan
    limits: Limits
    function: FunctionConfig
    times: Times
    seed: int
    result: SimulationResult
    bill: Bill

    @property
    def requests(self) -> int:
        return self.plan.size * self.plan.waves

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
    def last_cold_wave(self) -> int | None:
        """The number, from 1, of the last wave with a cold start."""
        waves = np.flatnonzero(self.result.cold)
        return int(waves[-1]) + 1 if len(waves) else None

    def as_json(self) -> dict[str, object]:
        """Keys shared with a load report have the same meaning."""
        result = self.result
        seconds = result.span / SECOND
        return {
            "requests": self.requests,
            "failures": self.throttled,
            "throughput_rps": self.answered / seconds if seconds else None,
            "duration_s": seconds,
            "latency_ms": percentiles_ms(result.latencies),
            "warm_ms": percentiles_ms(result.warm_latencies),
            "cold_ms": percentiles_ms(result.cold_durations),
            "cold_starts": self.cold_starts,
            "cold_share": self.cold_starts / self.answered if self.answered else None,
            "last_cold_wave": self.last_cold_wave,
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
            },
            "billed_gb_seconds": self.bill.gb_seconds,
            "plan": asdict(self.plan),
            "limits": asdict(self.limits),
            "function": asdict(self.function),
            "durations": {"cold": str(self.times.cold), "warm": str(self.times.warm)},
            "seed": self.seed,
        }


def predict(
    plan: Plan, limits: Limits, function: FunctionConfig, times: Times, seed: int = 0
) -> Prediction:
    starts, arrivals = wave_plan(plan.size, plan.interval_seconds, plan.waves)
    result = simulate(starts, arrivals, limits, times, seed)
    return Prediction(plan, limits, function, times, seed, result, bill(result, function))


def percentiles_ms(durations: Microseconds) -> dict[str, float | None]:
    """p50, p90, p95, p99 and max in milliseconds, by nearest rank, so that no percentile falls
    between warm and cold; None without durations."""
    names = [*(f"p{rank}" for rank in PERCENTILES), "max"]
    if not len(durations):
        return dict.fromkeys(names)
    ranks = [*PERCENTILES, 100]
    values = np.percentile(durations, ranks, method="inverted_cdf")
    return dict(zip(names, (values / 1000).tolist(), strict=True))
