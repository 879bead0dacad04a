"""The cost of Lambda by memory size: a forecast with the measured durations of the container."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from local.common.markdown import table
from local.docs.measurements import container
from local.loadtest.schedule import WavePlan
from local.simulation import aws_figures
from local.simulation.durations import Times, durations_from_json
from local.simulation.prediction import Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.scaling import Limits

STEADY: Final = WavePlan(10, 1, 3600)
"""10 simultaneous requests every second for an hour."""

BURST: Final = WavePlan(500, 1, 1)
"""500 simultaneous requests without warm environments."""

_PHOTO_KB: Final = 100


def cost_table() -> str:
    """USD per million requests, steady and in a burst, by memory size."""
    header = (
        *("memory MB", "steady: p50 ms", "cold starts", "USD a million"),
        *("with an HTTP API", "burst: p50 ms", "USD a million, burst"),
    )
    note = (
        f"{STEADY.parallel} requests at once every second for an hour, and {BURST.parallel} at "
        "once on a function without warm environments; x86_64, list prices of "
        f"{aws_figures.REGION} ({aws_figures.LOOKED_UP}), no free tier. AWS bills the start of "
        "each new environment, so a burst costs more."
    )
    return f"{table(header, _rows(), numbers_from=0)}\n\n{note}"


def steady_cost(memory_mb: int, cold_ms: float, warm_ms: float) -> float:
    """USD per million requests of `STEADY`, without a gateway; durations in milliseconds."""
    times = Times(durations_from_json(cold_ms), durations_from_json(warm_ms))
    return _million(_forecast(STEADY, times, FunctionConfig(memory_mb, "x86_64")))


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
