"""How large a deployment on Kubernetes or Knative has to be: the arithmetic of docs/deploy.md."""

import math
from collections.abc import Iterator
from typing import Final

from local.common.markdown import table
from local.docs.measurements import benchmark, where

POD_CORES: Final = 2
"""The pods of deploy/kubernetes and deploy/knative"""

UTILIZATION: Final = 0.7
"""The target of their autoscalers"""

PEAK: Final = 500
"""Requests per second of the example"""

UPLOAD_SECONDS: Final = 0.4
"""The time in which clients of the example send a photo"""

LATENCY_SECONDS: Final = 0.1
"""The time that a request then takes in a busy pod"""

QUEUE_PER_CORE: Final = 128
"""The default of QUEUE"""


def waiting_probability(cores: int, utilization: float) -> float:
    """The probability that a request which arrives at a random time waits for one of `cores` cores
    (Erlang C), 0 to 1. `utilization` is the part of the cores that is busy, below 1."""
    load = cores * utilization
    full = load**cores / math.factorial(cores) / (1 - utilization)
    return full / (sum(load**n / math.factorial(n) for n in range(cores)) + full)


def mean_in_flight(cores: int, utilization: float) -> float:
    """Requests in a pod on average: those that cores work on and those that wait.

    Requests arrive at random and take equally long: then half as many wait as with exponential
    times (M/M/c), in the approximation of Allen and Cunneen.
    """
    waiting = waiting_probability(cores, utilization) * utilization / (1 - utilization)
    return cores * utilization + waiting / 2


def pods(peak: float, rate: float, utilization: float) -> int:
    """Pods for `peak` requests per second, of which one pod sustains `rate`."""
    return math.ceil(peak / (rate * utilization))


def sizing_table() -> str:
    """Each figure with its formula, for two kinds of photos."""
    figures = benchmark()
    service = figures["servers"]["service"]
    kilobytes = figures["images"]["mean_bytes"] / 1000
    scale = POD_CORES / figures["machine"]["cores"]
    small = service["at_8"]["requests_s"] * scale
    large = POD_CORES * 1000 / service["large_cpu_ms"]
    header = ("", "formula", f"JPEGs of {kilobytes:.0f} kB", "JPEGs of 12 megapixels")
    rows = zip(_figures(small), _figures(large), strict=True)
    text = table(header, ((name, formula, a, b) for (name, formula, a), (_, _, b) in rows))
    return (
        f"{text}\n\nPods of {POD_CORES} cores. {where(figures)}: the rate for small photos; for "
        "large ones, the cores divided by the CPU time of a request."
    )


def _figures(rate: float) -> Iterator[tuple[str, str, str]]:
    """Rows of name, formula and value for pods that sustain `rate` requests per second."""
    needed = pods(PEAK, rate, UTILIZATION)
    percent = f"{UTILIZATION:.0%}"
    yield "rate of one pod", "`capacity.py`", f"{rate:.0f}/s"
    yield "planned rate of one pod", f"{percent} of the rate", f"{rate * UTILIZATION:.0f}/s"
    yield f"pods for {PEAK}/s", f"{PEAK} ÷ planned rate, rounded up", f"{needed}"
    yield "with one lost", "pods + 1", f"{needed + 1}"
    yield "growth until pods are full", f"1 ÷ {percent}, less 1", f"{1 / UTILIZATION - 1:.0%}"
    yield "a full queue", "`QUEUE` ÷ rate", f"{QUEUE_PER_CORE * POD_CORES / rate:.1f} s"
    yield (
        f"in flight at {percent}",
        "busy cores + waiting requests",
        f"{mean_in_flight(POD_CORES, UTILIZATION):.1f}",
    )
    yield (
        "in flight at the full rate, with uploads",
        f"rate times ({UPLOAD_SECONDS:g} s + {LATENCY_SECONDS:g} s)",
        f"{rate * (UPLOAD_SECONDS + LATENCY_SECONDS):.0f}",
    )
    yield (
        "Knative: `target` (rps), at most",
        "rate, rounded down",
        f"{math.floor(rate)}",
    )
