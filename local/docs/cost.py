"""The cost of Lambda by memory size: a forecast with the measured durations of the container."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from local.common.markdown import table
from local.docs.measurements import container
from local.loadtest.schedule import WavePlan
from local.simulation import aws_figures, service_figures
from local.simulation.batch import BatchPlan, forecast_batch
from local.simulation.batch_report import duration
from local.simulation.durations import Times, durations_from_json
from local.simulation.options import OBJECT_KB
from local.simulation.prediction import Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.scaling import Limits
from local.simulation.services import COSTS, HOURS_A_MONTH, Services

STEADY: Final = WavePlan(10, 1, 3600)
"""10 simultaneous requests every second for an hour."""

BURST: Final = WavePlan(500, 1, 1)
"""500 simultaneous requests without warm environments."""

_PHOTO_KB: Final = 100

JOB: Final = BatchPlan(1_000_000, 100)
"""A million photos of a bucket by S3 Batch Operations, 100 at once."""

_MILLION: Final = 1_000_000


def cost_table() -> str:
    """USD per million requests, steady and in a burst, by memory size."""
    header = (
        *("memory MB", "steady: p50 ms", "cold starts", "USD per million"),
        *("with an HTTP API", "burst: p50 ms", "USD per million, burst"),
    )
    note = (
        f"{STEADY.parallel} requests at once every second for an hour, and {BURST.parallel} at "
        "once on a function without warm environments; x86_64, list prices of "
        f"{aws_figures.REGION} ({aws_figures.LOOKED_UP}), no free tier. AWS bills the start of "
        "each new environment, so a burst costs more."
    )
    return f"{table(header, _rows(), numbers_from=0)}\n\n{note}"


def cost_parts_table() -> str:
    """What the services around the function add, and how to change it."""
    size = container()["sizes"][-1]
    figures = size["memory_mb"], size["cold_ms"], size["warm_ms"]
    function, arm = steady_cost(*figures), steady_cost(*figures, "arm64")
    everything, quiet = Services(COSTS), Services(COSTS, platform_lines=False)
    stored = Services(COSTS, stored=1, object_kb=OBJECT_KB)
    rows = [
        ("Lambda, 1,769 MB", function, f"`MemorySize`; `arm64`, if it is as fast: {arm:.2f}"),
        ("HTTP API", aws_figures.HTTP_API_CALL.value * _MILLION, "`Endpoint=FunctionUrl`: 0"),
        (
            "logs",
            everything.logs(_MILLION, 0),
            f"`SystemLogLevel=WARN`, without Lambda's own lines: {quiet.logs(_MILLION, 0):.2f}",
        ),
        ("traffic of responses", everything.transfer(_MILLION), "`top_k`"),
        (
            f"photos of {OBJECT_KB} kB by S3",
            stored.s3(_MILLION),
            "only photos that are too large for a request",
        ),
    ]
    header = ("part", "USD per million", "what changes it")
    cells = [(name, f"{usd:.2f}", change) for name, usd, change in rows]
    metrics, alarm = everything.metrics(HOURS_A_MONTH), service_figures.ALARM.value
    note = (
        f"By the month: {metrics:.2f} USD for {service_figures.METRICS.value:g} custom metrics if "
        f"every hour has requests, {alarm:.2f} for each alarm, and "
        f"{service_figures.DASHBOARD.value:.2f} for a dashboard beyond the account's first three."
    )
    return f"{table(header, cells)}\n\n{note}"


def batch_table() -> str:
    """Time and cost of `JOB` by memory size."""
    header = ("memory MB", "time", "Lambda USD", "S3 and S3 Batch", "logs, metrics", "USD in all")
    cells = []
    for size in container()["sizes"]:
        function = FunctionConfig(size["memory_mb"], "x86_64", services=Services(COSTS))
        cold, warm = (durations_from_json(size[name]) for name in ("cold_ms", "warm_ms"))
        job = forecast_batch(JOB, function, cold, warm)
        part = {name: sum(line.usd for line in job.lines if line.part == name) for name in COSTS}
        cells.append(
            (
                str(size["memory_mb"]),
                duration(job.seconds),
                f"{part['compute']:.2f}",
                f"{part['s3']:.2f}",
                f"{part['logs'] + part['metrics']:.2f}",
                f"{job.usd:.2f}",
            )
        )
    note = (
        f"{JOB.objects:,} photos of a bucket in the same region, {JOB.concurrency} at once; S3 "
        f"takes {JOB.s3_ms:g} ms for each, in which the function waits and is billed."
    )
    return f"{table(header, cells, numbers_from=0)}\n\n{note}"


def steady_cost(
    memory_mb: int, cold_ms: float, warm_ms: float, architecture: str = "x86_64"
) -> float:
    """USD per million requests of `STEADY`, without a gateway; durations in milliseconds."""
    times = Times(durations_from_json(cold_ms), durations_from_json(warm_ms))
    return _million(_forecast(STEADY, times, FunctionConfig(memory_mb, architecture)))


def _rows() -> Iterator[tuple[str, ...]]:
    for size in container()["sizes"]:
        times = Times(durations_from_json(size["cold_ms"]), durations_from_json(size["warm_ms"]))
        steady = _forecast(STEADY, times, FunctionConfig(size["memory_mb"], "x86_64"))
        gateway = FunctionConfig(size["memory_mb"], "x86_64", http_api_kb=_PHOTO_KB)
        burst = _forecast(BURST, times, FunctionConfig(size["memory_mb"], "x86_64"))
        yield (
            str(size["memory_mb"]),
            f"{_median_ms(steady):.0f}",
            f"{steady.cold_starts}",
            f"{_million(steady):.2f}",
            f"{_million(_forecast(STEADY, times, gateway)):.2f}",
            f"{_median_ms(burst):.0f}",
            f"{_million(burst):.2f}",
        )


def _forecast(plan: WavePlan, times: Times, function: FunctionConfig) -> Prediction:
    limits = Limits(int(aws_figures.CONCURRENCY.value), 0, aws_figures.IDLE.value * 60)
    return predict(plan.schedule(), limits, function, times)


def _median_ms(prediction: Prediction) -> float:
    return float(np.median(prediction.result.latencies)) / 1000


def _million(prediction: Prediction) -> float:
    return prediction.bill.total / prediction.answered * 1e6
