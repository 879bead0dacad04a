"""Options for a plan with a rate: steady, a ramp, or a profile from a file."""

import argparse
from pathlib import Path
from typing import Final, get_args

from local.common.cli import UsageError
from local.loadtest.profile import read_profile
from local.loadtest.schedule import Arrivals, RateProfile, Schedule

_KINDS: Final = ("rate", "ramp", "profile")


def add_rate_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_rate` reads, but for --seed."""
    add = parser.add_argument_group("a rate").add_argument
    add("--rate", type=float, metavar="R", help="requests per second")
    add("--ramp", metavar="R1:R2", help="from R1 to R2 requests per second, in a straight line")
    add(
        "--profile",
        type=Path,
        metavar="FILE",
        help="CSV with columns seconds,rate; straight lines between the rows",
    )
    add("--for", dest="seconds", type=float, metavar="S", help="seconds, for --rate and --ramp")
    add(
        "--arrivals",
        choices=get_args(Arrivals),
        help="constant intervals (the default), or a Poisson process: independent requests",
    )


def read_rate(options: argparse.Namespace) -> Schedule | None:
    """The plan that `options` describe, with `options.seed` for Poisson arrivals; None without any
    of the options. Raises `UsageError`."""
    given = [kind for kind in _KINDS if getattr(options, kind) is not None]
    if not given:
        for option, value in {"--for": options.seconds, "--arrivals": options.arrivals}.items():
            if value is not None:
                raise UsageError(f"{option} needs --rate, --ramp or --profile.")
        return None
    if len(given) > 1:
        raise UsageError(f"Use --{given[0]} or --{given[1]}, not both.")
    return _profile(options, given[0]).schedule(options.arrivals or "constant", options.seed)


def _profile(options: argparse.Namespace, kind: str) -> RateProfile:
    if kind == "profile":
        if options.seconds is not None:
            raise UsageError("--for does not go with --profile: the last row of the file ends it.")
        return read_profile(options.profile)
    if options.seconds is None:
        raise UsageError(f"--{kind} needs --for SECONDS.")
    if kind == "rate":
        return RateProfile.steady(options.rate, options.seconds)
    return RateProfile.ramp(*_ramp(options.ramp), options.seconds)


def _ramp(text: str) -> tuple[float, float]:
    try:
        first, last = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"--ramp {text!r} is not two rates such as 10:200.") from None
    return first, last
