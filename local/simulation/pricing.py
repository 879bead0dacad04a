"""AWS cost of a simulation result in US dollars; `aws_figures` has the prices and their region."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from local.simulation import aws_figures
from local.simulation.durations import Microseconds
from local.simulation.simulate import SimulationResult

_MB_A_GB: Final = 1024


class _Prices(NamedTuple):
    """USD per GB-second."""

    duration: float
    provisioned_duration: float
    provisioned: float


_PRICES: Final = {
    "x86_64": _Prices(
        aws_figures.DURATION_X86.value,
        aws_figures.PROVISIONED_DURATION_X86.value,
        aws_figures.PROVISIONED_X86.value,
    ),
    "arm64": _Prices(
        aws_figures.DURATION_ARM.value,
        aws_figures.PROVISIONED_DURATION_ARM.value,
        aws_figures.PROVISIONED_ARM.value,
    ),
}


@dataclass(frozen=True)
class FunctionConfig:
    """The settings of the function that affect its cost."""

    memory_mb: int
    architecture: str
    ephemeral_mb: int = int(aws_figures.EPHEMERAL_FREE.value)
    provisioned: int = 0
    unbilled_ms: float = 0
    """of every cold start: time before INIT, for example to place and fetch the image"""
    http_api_kb: float | None = None
    """the size of a request if an HTTP API is in front of the function"""

    @property
    def vcpu(self) -> float:
        return self.memory_mb / aws_figures.VCPU.value


@dataclass(frozen=True)
class Bill:
    """USD, and the billed GB-seconds."""

    requests: float
    duration: float
    """total of handler and INIT, on demand and provisioned"""
    init: float
    """part of `duration`: cold starts and the preparation of provisioned environments, each with
    the request that caused it"""
    provisioned: float
    """environments kept ready, used or not"""
    ephemeral: float
    http_api: float
    gb_seconds: float

    @property
    def total(self) -> float:
        return self.requests + self.duration + self.provisioned + self.ephemeral + self.http_api


def bill(result: SimulationResult, function: FunctionConfig) -> Bill:
    """The bill for one run of the plan. Throttled requests cost only the HTTP API's charge.

    Provisioned concurrency is billed from the start to the last response, rounded up. Each
    provisioned environment is assumed to bill one cold duration at the provisioned price: slightly
    too much, as a cold duration includes a request.
    """
    prices = _PRICES[function.architecture]
    gb = function.memory_mb / _MB_A_GB
    unbilled = round(function.unbilled_ms * 1000)
    warm = billed_seconds(result.warm_durations)
    cold = billed_seconds(result.cold_durations - unbilled)
    provisioned = billed_seconds(result.provisioned_durations)
    prepared = billed_seconds(result.preparations - unbilled)
    seconds = warm + cold + provisioned + prepared

    init = gb * (cold * prices.duration + prepared * prices.provisioned_duration)
    used = gb * (warm * prices.duration + provisioned * prices.provisioned_duration)
    extra_gb = max(0.0, function.ephemeral_mb - aws_figures.EPHEMERAL_FREE.value) / _MB_A_GB
    answered = len(result.latencies)
    return Bill(
        requests=answered * aws_figures.REQUEST.value,
        duration=used + init,
        init=init,
        provisioned=provisioned_cost(function, _provisioned_seconds(result)),
        ephemeral=seconds * extra_gb * aws_figures.EPHEMERAL.value,
        http_api=int(result.arrivals.sum()) * _metered(function) * aws_figures.HTTP_API_CALL.value,
        gb_seconds=seconds * gb,
    )


def provisioned_cost(function: FunctionConfig, seconds: float) -> float:
    """USD to keep the provisioned environments ready for so long, used or not."""
    gb = function.memory_mb / _MB_A_GB
    return function.provisioned * gb * seconds * _PRICES[function.architecture].provisioned


def billed_seconds(durations: Microseconds) -> float:
    """The sum of the durations, each rounded up to the billing step."""
    step = int(aws_figures.BILLING_STEP.value * 1000)
    steps = -(-np.maximum(durations, 0) // step)
    return int(steps.sum()) * aws_figures.BILLING_STEP.value / 1000


def _provisioned_seconds(result: SimulationResult) -> float:
    step = aws_figures.PROVISIONED_STEP.value
    return max(1, math.ceil(result.end / 1e6 / step)) * step


def _metered(function: FunctionConfig) -> int:
    """Calls that the HTTP API meters per request."""
    if function.http_api_kb is None:
        return 0
    return max(1, math.ceil(function.http_api_kb / aws_figures.HTTP_API_METER.value))
