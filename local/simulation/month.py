"""The cost of a month in which a plan is repeated without a pause.

The first run of a plan starts on a function without environments and pays for their INIT, its
repetition hardly does: so both are simulated, one after the other. In a month of all hours, every
run costs as much as the repetition; with fewer hours a day, the first run of each day costs as much
as the first run. Provisioned environments are kept ready all day and all night.
"""

from dataclasses import dataclass, replace
from typing import Final

from local.common.cli import UsageError
from local.simulation.pricing import FunctionConfig, bill, provisioned_cost
from local.simulation.simulate import SimulationResult

DAYS: Final = 365 / 12
"""in a month"""

HOURS: Final = 24
"""in a day"""

_HOUR: Final = 3600


@dataclass(frozen=True)
class Month:
    hours_per_day: float
    """in which the plan is repeated"""
    requests: float
    """answered and throttled"""
    answered: float
    usd: float
    provisioned_usd: float
    """part of `usd`: environments kept ready, used or not"""
    services_usd: float
    """part of `usd`: metrics in the hours of the plan, alarms and dashboards in all hours"""

    @property
    def usd_a_million(self) -> float | None:
        """Per million answered requests; None without any."""
        return self.usd / self.answered * 1e6 if self.answered else None


def month(
    first: SimulationResult,
    again: SimulationResult,
    span: float,
    function: FunctionConfig,
    hours_per_day: float = HOURS,
) -> Month:
    """The cost of a plan of `span` seconds, from the results of its first run and its repetition.

    Raises `UsageError` if the plan is longer than `hours_per_day` and that is not the whole day.
    """
    runs = hours_per_day * _HOUR / span
    if hours_per_day < HOURS and runs < 1:
        raise UsageError(
            f"The plan takes {span / _HOUR:,.2f} hours. --hours-per-day must be as much or more; "
            f"it is {hours_per_day:g}."
        )
    # Runs a day like the first, and like the repetition.
    cold = 0 if hours_per_day >= HOURS else 1
    parts = [(DAYS * cold, first), (DAYS * (runs - cold), again)]
    ready = provisioned_cost(function, DAYS * HOURS * _HOUR)
    services = function.services
    hourly = services.metrics(DAYS * hours_per_day) + services.fixed(DAYS * HOURS)
    return Month(
        hours_per_day,
        requests=DAYS * runs * int(first.arrivals.sum()),
        answered=sum(times * len(one.latencies) for times, one in parts),
        usd=ready + hourly + sum(times * _run_cost(one, function) for times, one in parts),
        provisioned_usd=ready,
        services_usd=hourly,
    )


def _run_cost(result: SimulationResult, function: FunctionConfig) -> float:
    """USD of one run, but for what is billed by the hour, used or not."""
    prepared = replace(result, preparations=result.preparations[:0])
    return replace(bill(prepared, function), provisioned=0, metrics=0, alarms=0).total
