"""Adds --N, --T and --R, for scenarios of N users and R requests each."""

import functools

from locust import events
from locust.argument_parser import LocustArgumentParser
from options import Options, zero_or_more

from local.common.cli import whole_number
from local.loadtest.schedule import Schedule, WavePlan


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    add = parser.add_argument
    add("--N", type=whole_number(), default=10, help="parallel requests: one per user")
    add("--T", type=zero_or_more, default=1.0, help="seconds between waves, or of a pause")
    add("--R", type=whole_number(), default=10, help="waves, or requests of each user")


def plan_of(options: Options) -> WavePlan:
    """Raises `UsageError`."""
    return WavePlan(options.N, options.T, options.R)


def schedule_of(options: Options) -> Schedule:
    """Raises `UsageError`."""
    return _schedule(plan_of(options))


@functools.lru_cache(maxsize=1)
def _schedule(plan: WavePlan) -> Schedule:
    return plan.schedule()
