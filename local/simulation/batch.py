"""Forecast of a job of S3 Batch Operations that classifies the objects of a bucket.

S3 calls the function once for each object and waits for its response. AWS documents neither how
many calls are in flight nor how fast their number grows; the function's reserved concurrency is the
only setting. So these are assumptions:

- As many calls are in flight as the concurrency, from the start on; AWS's own scaling rate (1,000
  new environments every 10 s) applies above 1,000.
- The request rate is at most 10 a second for each unit of concurrency, so invocations of less than
  100 ms do not make a job faster. Throttled calls are tried again and cost nothing.
- An object that fails for a temporary reason runs once more before the job ends, and is one object
  to S3's bill and two invocations to Lambda's.
- The time in which S3 prepares the job and writes its report is not included.

The time is computed by arithmetic, and by simulation; both have to agree.
"""

import math
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np

from local.simulation import aws_figures
from local.simulation import service_figures as prices
from local.simulation.closed_loop import ClosedLoopResult, run_closed_loop
from local.simulation.durations import Durations, Longer, Times
from local.simulation.pricing import FunctionConfig, billed_seconds, duration_price, ephemeral_cost
from local.simulation.scaling import SECOND, Limits

MANIFESTS: Final = ("generated", "inventory", "csv")

SIMULATED: Final = 2_000_000
"""Jobs with more invocations are not simulated: it would take half a minute."""

_SAMPLES: Final = 100_000
"""for the mean of a distribution"""

_HOUR: Final = 3600
_KB: Final = 1000
_GB: Final = 1e9


class Line(NamedTuple):
    """A line of the bill."""

    part: str
    """of `services.COSTS`"""
    label: str
    usd: float
    note: str = ""


@dataclass(frozen=True)
class BatchPlan:
    objects: int
    concurrency: int
    retry_rate: float = 0
    """The share of objects that run twice"""
    results: bool = False
    """Whether results are written to S3: a PUT and a HEAD for each"""
    manifest: str = MANIFESTS[0]
    same_region: bool = True
    s3_ms: float = prices.S3_LATENCY.value
    """of each request to S3"""

    @property
    def invocations(self) -> int:
        return self.objects + round(self.objects * self.retry_rate)

    @property
    def waiting_ms(self) -> float:
        """Time of an invocation in which it waits for S3."""
        return self.s3_ms * (3 if self.results else 1)

    def times(self, cold: Durations, warm: Durations) -> Times:
        """Durations of invocations, from those of classifications."""
        return Times(Longer(cold, self.waiting_ms), Longer(warm, self.waiting_ms))


@dataclass(frozen=True)
class BatchForecast:
    plan: BatchPlan
    function: FunctionConfig
    times: Times
    """with the time of S3"""
    seconds: float
    """By arithmetic"""
    limit: str
    """What the time follows from: "concurrency" or "request rate" """
    gb_seconds: float
    lines: tuple[Line, ...]
    simulated: ClosedLoopResult | None
    """None for more than `SIMULATED` invocations"""

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)

    @property
    def usd_a_million(self) -> float:
        return self.usd / self.plan.objects * 1e6

    @property
    def objects_per_second(self) -> float:
        return self.plan.objects / self.seconds

    @property
    def simulated_seconds(self) -> float | None:
        return None if self.simulated is None else self.simulated.end / SECOND

    def as_json(self) -> dict[str, object]:
        return {
            "plan": {"kind": "s3 batch", **asdict(self.plan)},
            "invocations": self.plan.invocations,
            "seconds": self.seconds,
            "simulated_seconds": self.simulated_seconds,
            "limit": self.limit,
            "objects_per_second": self.objects_per_second,
            "billed_gb_seconds": self.gb_seconds,
            "cost_usd": {
                **{line.label: line.usd for line in self.lines},
                "total": self.usd,
                "a_million": self.usd_a_million,
            },
            "function": asdict(self.function),
            "durations": {"cold": str(self.times.cold), "warm": str(self.times.warm)},
        }


def forecast_batch(
    plan: BatchPlan, function: FunctionConfig, cold: Durations, warm: Durations, seed: int = 0
) -> BatchForecast:
    """cold, warm: durations of a classification, without the time of S3."""
    times = plan.times(cold, warm)
    cold_s, warm_s = _mean(times.cold, seed), _mean(times.warm, seed)
    seconds, limit = job_seconds(plan.invocations, plan.concurrency, cold_s.mean, warm_s.mean)
    starts = min(plan.concurrency, plan.invocations)
    billed = starts * cold_s.billed + (plan.invocations - starts) * warm_s.billed
    gb_seconds = billed * function.memory_gb
    lines = _lines(plan, function, starts, billed, seconds)
    simulated = None
    if plan.invocations <= SIMULATED:
        limits = Limits(plan.concurrency)
        simulated = run_closed_loop(plan.invocations, plan.concurrency, limits, times, seed)
    return BatchForecast(plan, function, times, seconds, limit, gb_seconds, lines, simulated)


def job_seconds(invocations: int, concurrency: int, cold: float, warm: float) -> tuple[float, str]:
    """The time until the last answer, and the limit that it follows from. cold, warm: mean seconds
    of an invocation."""
    by_concurrency = _busy_seconds(invocations, min(concurrency, invocations), cold, warm)
    rate = aws_figures.REQUEST_RATE.value * concurrency
    by_rate = invocations / rate - 1 + warm  # the requests of a second may come at once
    if by_rate > by_concurrency:
        return by_rate, "request rate"
    return by_concurrency, "concurrency"


def _busy_seconds(invocations: int, parallel: int, cold: float, warm: float) -> float:
    """The time for which `parallel` environments are busy, each from when it can be started."""
    step = aws_figures.SCALING_STEP.value
    growth = step / aws_figures.SCALING_INTERVAL.value
    late = max(0.0, parallel - step)
    if late:
        # The job may end while environments are still started. Of the invocations begun in `time`
        # and a cold start, first environments begin 1 + time / warm, and each later one likewise
        # from its start on: a quadratic equation. The last one is a cold start again.
        half, linear = growth / (2 * warm), step / warm + growth
        missing = invocations - step - growth * cold
        time = (math.sqrt(linear * linear + 4 * half * max(0.0, missing)) - linear) / (2 * half)
        if growth * (time + cold) <= late:
            return time + 2 * cold
    lost = late * late / (2 * growth)  # environment-seconds before each later start
    return cold + ((invocations - parallel) * warm + lost) / parallel


class _Mean(NamedTuple):
    """Seconds, and seconds rounded up to the billing step."""

    mean: float
    billed: float


def _mean(durations: Durations, seed: int) -> _Mean:
    drawn = durations.draw(np.random.default_rng(seed), _SAMPLES)
    return _Mean(float(drawn.mean()) / SECOND, billed_seconds(drawn) / _SAMPLES)


def _lines(
    plan: BatchPlan, function: FunctionConfig, starts: int, billed: float, seconds: float
) -> tuple[Line, ...]:
    """starts: environments; billed: the seconds of all invocations; seconds: of the job."""
    gb_seconds = billed * function.memory_gb
    services, invocations, objects = function.services, plan.invocations, plan.objects
    hours = math.ceil(seconds / _HOUR)
    lines = [
        Line("s3", "S3 Batch: job", prices.BATCH_JOB.value),
        Line("s3", "S3 Batch: objects", objects * prices.BATCH_OBJECT.value),
        _manifest(plan),
        Line("s3", "S3: photos read", invocations * prices.S3_GET.value, "a GET each"),
    ]
    if plan.results:
        written = invocations * (prices.S3_PUT.value + prices.S3_GET.value)
        lines.append(Line("s3", "S3: results", written, "a PUT and a HEAD each"))
    size = objects * prices.REPORT_LINE.value * (2 if plan.results else 1) / _GB
    what = "report and results" if plan.results else "report"
    lines += [
        Line("s3", "S3: storage", size * prices.S3_STORAGE.value, f"{what}, for a month"),
        Line("compute", "Lambda: requests", invocations * aws_figures.REQUEST.value),
        Line(
            "compute",
            "Lambda: duration",
            gb_seconds * duration_price(function.architecture),
            f"{gb_seconds:,.0f} GB-s",
        ),
        Line("compute", "Lambda: storage", ephemeral_cost(function, billed), "above 512 MB"),
        Line("logs", "Logs", services.logs(invocations, starts)),
        Line("metrics", "Metrics", services.metrics(hours), f"{hours:,} h"),
        Line("transfer", "Traffic", _traffic(plan, services.object_kb), "S3 to the function"),
    ]
    if services.alarms or services.dashboards:
        lines.append(Line("alarms", "Alarms, dashboards", services.fixed(hours), f"{hours:,} h"))
    return tuple(each for each in lines if each.part in services.costs and each.usd)


def _manifest(plan: BatchPlan) -> Line:
    kinds = {
        "inventory": (prices.S3_INVENTORY.value, "one listing by S3 Inventory"),
        "generated": (prices.BATCH_MANIFEST.value, "if the bucket has no other objects"),
        "csv": (0.0, "your own list"),
    }
    price, note = kinds[plan.manifest]
    return Line("s3", "S3: manifest", plan.objects * price, note)


def _traffic(plan: BatchPlan, object_kb: float) -> float:
    size = plan.invocations * object_kb * _KB / _GB
    return 0.0 if plan.same_region else size * prices.TRANSFER_REGION.value
