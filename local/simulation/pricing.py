"""What AWS bills for an outcome, in US dollars; the prices and their region are in `aws`."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from local.simulation import aws_figures as aws
from local.simulation.durations import Microseconds
from local.simulation.simulate import Outcome

_MB_A_GB: Final = 1024


class _Prices(NamedTuple):
    """USD per GB-second."""

    duration: float
    provisioned_duration: float
    provisioned: float


_PRICES: Final = {
    "x86_64": _Prices(
        aws.DURATION_X86.value, aws.PROVISIONED_DURATION_X86.value, aws.PROVISIONED_X86.value
    ),
    "arm64": _Prices(
        aws.DURATION_ARM.value, aws.PROVISIONED_DURATION_ARM.value, aws.PROVISIONED_ARM.value
    ),
}


@dataclass(frozen=True)
class Function:
    """How the function is set up, as far as it costs money."""

    memory_mb: int
    architecture: str
    ephemeral_mb: int = int(aws.EPHEMERAL_FREE.value)
    provisioned: int = 0
    unbilled_ms: float = 0
    """of every cold start: what passes before INIT, such as placing and fetching the image"""
    http_api_kb: float | None = None
    """the size of a request if an HTTP API stands before the function"""


@dataclass(frozen=True)
class Bill:
    """USD, and the GB-seconds behind it."""

    requests: float
    duration: float
    """all of it: handler and INIT, on demand and provisioned"""
    init: float
    """of `duration`: what the cold starts and the preparation of provisioned environments cost,
    each with the request that caused it"""
    provisioned: float
    ephemeral: float
    http_api: float
    gb_seconds: float

    @property
    def total(self) -> float:
        return self.requests + self.duration + self.provisioned + self.ephemeral + self.http_api


def bill(outcome: Outcome, function: Function) -> Bill:
    """The bill for one run of the plan. Throttled requests cost only what the HTTP API charges.

    Provisioned concurrency is billed from the first wave to the last answer, rounded up. Each
    provisioned environment is taken to bill one cold duration at the provisioned price: a little
    too much, as that holds a request, too.
    """
    prices = _PRICES[function.architecture]
    gb = function.memory_mb / _MB_A_GB
    unbilled = round(function.unbilled_ms * 1000)
    warm = billed_seconds(outcome.warm_durations)
    cold = billed_seconds(outcome.cold_durations - unbilled)
    provisioned = billed_seconds(outcome.provisioned_durations)
    prepared = billed_seconds(outcome.preparations - unbilled)
    seconds = warm + cold + provisioned + prepared

    init = gb * (cold * prices.duration + prepared * prices.provisioned_duration)
    used = gb * (warm * prices.duration + provisioned * prices.provisioned_duration)
    extra_gb = max(0.0, function.ephemeral_mb - aws.EPHEMERAL_FREE.value) / _MB_A_GB
    answered = len(outcome.latencies)
    return Bill(
        requests=answered * aws.REQUEST.value,
        duration=used + init,
        init=init,
        provisioned=function.provisioned * gb * _provisioned_seconds(outcome) * prices.provisioned,
        ephemeral=seconds * extra_gb * aws.EPHEMERAL.value,
        http_api=int(outcome.arrivals.sum()) * _metered(function) * aws.HTTP_API_CALL.value,
        gb_seconds=seconds * gb,
    )


def billed_seconds(durations: Microseconds) -> float:
    """Each duration rounded up to the billing step, summed."""
    step = int(aws.BILLING_STEP.value * 1000)
    steps = -(-np.maximum(durations, 0) // step)
    return int(steps.sum()) * aws.BILLING_STEP.value / 1000


def _provisioned_seconds(outcome: Outcome) -> float:
    step = aws.PROVISIONED_STEP.value
    return max(1, math.ceil(outcome.span / 1e6 / step)) * step


def _metered(function: Function) -> int:
    """Calls that the HTTP API meters for one request."""
    if function.http_api_kb is None:
        return 0
    return max(1, math.ceil(function.http_api_kb / aws.HTTP_API_METER.value))
