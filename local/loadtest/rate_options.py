"""Options for a load that is no waves: a rate, a ramp, a profile, or the times of an access log."""

import argparse
import math
from pathlib import Path
from typing import Final

from local.common.cli import UsageError
from local.loadtest.access_log import read_access_log
from local.loadtest.profile import read_profile
from local.loadtest.schedule import RateProfile, Schedule

RATE: Final = 10.0
"""Requests per second, if no option states the load."""

SECONDS: Final = 10.0
"""The duration of --rate and --ramp without --for."""

_SHAPES: Final = ("rate", "ramp", "profile", "replay")


def add_rate_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `schedule_of` reads, but for --seed."""
    shape = parser.add_argument_group("load, one of --rate, --ramp, --profile and --replay")
    shape.add_argument("--rate", type=float, metavar="R", help="requests per second")
    shape.add_argument(
        "--ramp", metavar="A:B", help="from A to B requests per second, in a straight line"
    )
    shape.add_argument(
        "--profile",
        type=Path,
        metavar="CSV",
        help="a file with the columns seconds,rate; straight lines between the rows",
    )
    shape.add_argument(
        "--replay",
        type=Path,
        metavar="LOG",
        help="an access log: common or combined format, or JSON lines with a time",
    )
    shape.add_argument(
        "--for",
        type=float,
        dest="seconds",
        metavar="SECONDS",
        help=f"duration, for --rate and --ramp (default: {SECONDS:g})",
    )
    shape.add_argument(
        "--arrivals",
        choices=("constant", "poisson"),
        help="constant intervals, or a Poisson process (default: constant)",
    )
    shape.add_argument(
        "--speed", type=float, metavar="X", help="for --replay: X times as fast (default: 1)"
    )


def is_given(options: argparse.Namespace) -> bool:
    """Whether any of the options is given."""
    names = (*_SHAPES, "seconds", "arrivals", "speed")
    return any(getattr(options, name) is not None for name in names)


def schedule_of(options: argparse.Namespace) -> Schedule:
    """The load that `options` describe, by default `RATE`, with `options.seed` for the Poisson
    process (None: 0). Raises `UsageError`."""
    given = [name for name in _SHAPES if getattr(options, name) is not None]
    if len(given) > 1:
        raise UsageError(f"Use one of {' and '.join(f'--{name}' for name in given)}.")
    shape = given[0] if given else "rate"
    _refuse(options, shape, "speed", of=("replay",))
    _refuse(options, shape, "seconds", of=("rate", "ramp"))
    _refuse(options, shape, "arrivals", of=("rate", "ramp", "profile"))
    if shape == "replay":
        return read_access_log(options.replay, 1.0 if options.speed is None else options.speed)
    return _profile(options, shape).schedule(options.arrivals or "constant", options.seed or 0)


def _profile(options: argparse.Namespace, shape: str) -> RateProfile:
    if shape == "profile":
        return read_profile(options.profile)
    seconds = SECONDS if options.seconds is None else options.seconds
    if shape == "rate":
        return RateProfile.steady(RATE if options.rate is None else options.rate, seconds)
    return RateProfile.ramp(*parse_ramp(options.ramp), seconds)


def parse_ramp(text: str) -> tuple[float, float]:
    """The first and the last rate of `--ramp`. Raises `UsageError`."""
    first, _, last = text.partition(":")
    try:
        rates = float(first), float(last)
    except ValueError:
        rates = math.nan, math.nan
    if not all(0 <= rate < math.inf for rate in rates):
        raise UsageError(f"{text!r} is not a ramp. Use two rates of 0 or more, such as 10:200.")
    return rates


def _refuse(options: argparse.Namespace, shape: str, name: str, *, of: tuple[str, ...]) -> None:
    """Raises `UsageError` if the option `name` is given, but is not for this shape."""
    if getattr(options, name) is not None and shape not in of:
        option = "for" if name == "seconds" else name
        needed = " or ".join(f"--{shape}" for shape in of)
        raise UsageError(f"--{option} needs {needed}; it cannot be combined with --{shape}.")
