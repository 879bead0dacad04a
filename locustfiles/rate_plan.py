"""Adds --rate, --for, --arrivals, --ramp and --seed, for a load of requests per second."""

import functools

from locust import events
from locust.argument_parser import LocustArgumentParser
from options import Options, checked, positive

from local.common.cli import whole_number
from local.loadtest.rate_options import parse_ramp
from local.loadtest.schedule import RateProfile, Schedule


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    add = parser.add_argument
    add("--rate", type=positive, default=10.0, help="requests per second")
    add("--for", type=positive, default=10.0, help="duration in seconds")
    add(
        "--ramp",
        type=checked(lambda text: text and parse_ramp(text)),
        default="",
        help="FIRST:LAST requests per second, instead of --rate",
    )
    add(
        "--arrivals",
        choices=["constant", "poisson"],
        default="constant",
        help="constant intervals, or random ones (a Poisson process)",
    )
    add("--seed", type=whole_number(0), default=0, help="seed of the random arrivals")


def schedule_of(options: Options) -> Schedule:
    """Raises `UsageError`."""
    values = vars(options)  # `for` is a keyword of Python
    return _schedule(options.rate, values["for"], options.ramp, options.arrivals, options.seed)


@functools.lru_cache(maxsize=1)
def _schedule(rate: float, seconds: float, ramp: str, arrivals: str, seed: int) -> Schedule:
    profile = (
        RateProfile.ramp(*parse_ramp(ramp), seconds) if ramp else RateProfile.steady(rate, seconds)
    )
    return profile.schedule(arrivals, seed)
