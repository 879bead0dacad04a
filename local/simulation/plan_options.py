"""Options for the plan of a forecast: waves, or a rate."""

import argparse
import math
from typing import Final

from local.common.cli import UsageError, whole_number
from local.loadtest.rate_options import add_rate_options, is_given, schedule_of
from local.loadtest.schedule import Schedule, WavePlan

MAX_SECONDS: Final = 1e9
"""32 years; times are whole microseconds in 64 bits."""

MAX_REQUESTS: Final = 10_000_000
"""of a wave, and waves"""


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_schedule` reads, but for --seed."""
    add = parser.add_argument_group("waves").add_argument
    whole = whole_number(1, MAX_REQUESTS)
    add("-N", type=whole, help="requests in a wave (1)")
    add("-T", type=number, help="seconds from wave to wave (1)")
    add("-R", type=whole, help="waves (1)")
    add_rate_options(parser)


def read_schedule(options: argparse.Namespace) -> Schedule:
    """The plan that `options` describe. Raises `UsageError`."""
    waves = [name for name in ("N", "T", "R") if getattr(options, name) is not None]
    rate = is_given(options)
    if rate and waves:
        raise UsageError(f"Use -{waves[0]} or a rate, not both: waves follow from -N, -T and -R.")
    if rate:
        schedule = schedule_of(options)
    else:
        period = 1.0 if options.T is None else options.T
        schedule = WavePlan(options.N or 1, period, options.R or 1).schedule()
    if (schedule.span or 0) > MAX_SECONDS:
        raise UsageError(f"A plan takes at most {MAX_SECONDS:,.0f} seconds.")
    return schedule


def number(text: str) -> float:
    """An option type: a number from 0 to `MAX_SECONDS`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1,000,000,000")
    return value
