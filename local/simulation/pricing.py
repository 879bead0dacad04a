"""AWS cost of a simulation result in US dollars; `aws_figures` has the prices and their region."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from local.simulation import aws_figures
from local.simulation.durations import Microseconds
from local.simulation.services import FUNCTION_ONLY, Services
from local.simulation.simulate import SimulationResult

_MB_A_GB: Final = 1024
_HOUR_US: Final = 3_600_000_000


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
    services: Services = FUNCTION_ONLY
    """what else is counted"""

    @property
    def vcpu(self) -> float:
        return self.memory_mb / aws_figures.VCPU.value

    @property
    def memory_gb(self) -> float:
        return self.memory_mb / _MB_A_GB


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
    logs: float
    metrics: float
    """by the hour, of any number of requests; likewise `alarms`"""
    s3: float
    transfer: float
    alarms: float
    gb_seconds: float

    @property
    def total(self) -> float:
        compute = self.requests + self.duration + self.provisioned + self.ephemeral
        services = self.logs + self.metrics + self.s3 + self.transfer + self.alarms
        return compute + self.http_api + services

    @property
    def by_the_hour(self) -> float:
        """Part of `total`, whatever the number of requests; without `provisioned`."""
        return self.metrics + self.alarms


def bill(result: SimulationResult, function: FunctionConfig) -> Bill:
    """The bill for one run of the plan. Throttled requests cost only the HTTP API's charge.

    Metrics and alarms are billed for each hour that has begun.
    Provisioned concurrency is billed from the start to the last response, rounded up. Each
    provisioned environment is assumed to bill one cold duration at the provisioned price: slightly
    too much, as a cold duration includes a request.
    """
    prices = _PRICES[function.architecture]
    gb = function.memory_gb
    unbilled = round(function.unbilled_ms * 1000)
    warm = billed_seconds(result.warm_durations)
    cold = billed_seconds(result.cold_durations - unbilled)
    provisioned = billed_seconds(result.provisioned_durations)
    prepared = billed_seconds(result.preparations - unbilled)
    seconds = warm + cold + provisioned + prepared

    init = gb * (cold * prices.duration + prepared * prices.provisioned_duration)
    used = gb * (warm * prices.duration + provisioned * prices.provisioned_duration)
    answered, services = len(result.latencies), function.services
    compute, api = "compute" in services.costs, "api" in services.costs
    starts = len(result.cold_durations) + len(result.preparations)
    hours = math.ceil(max(result.end, 1) / _HOUR_US)
    calls = int(result.arrivals.sum()) * _metered(function)
    return Bill(
        requests=compute * answered * aws_figures.REQUEST.value,
        duration=compute * (used + init),
        init=compute * init,
        provisioned=provisioned_cost(function, _provisioned_seconds(result)),
        ephemeral=compute * ephemeral_cost(function, seconds),
        http_api=api * calls * aws_figures.HTTP_API_CALL.value,
        logs=services.logs(answered, starts),
        metrics=services.metrics(hours),
        s3=services.s3(answered),
        transfer=services.transfer(answered),
        alarms=services.fixed(hours),
        gb_seconds=seconds * gb,
    )


def provisioned_cost(function: FunctionConfig, seconds: float) -> float:
    """USD to keep the provisioned environments ready for so long, used or not."""
    if "compute" not in function.services.costs:
        return 0.0
    return (
        function.provisioned
        * function.memory_gb
        * seconds
        * _PRICES[function.architecture].provisioned
    )


def ephemeral_cost(function: FunctionConfig, seconds: float) -> float:
    """USD for the ephemeral storage above the free part, in so many seconds of duration."""
    extra_gb = max(0.0, function.ephemeral_mb - aws_figures.EPHEMERAL_FREE.value) / _MB_A_GB
    return seconds * extra_gb * aws_figures.EPHEMERAL.value


def duration_price(architecture: str) -> float:
    """USD per GB-second on demand."""
    return _PRICES[architecture].duration


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
