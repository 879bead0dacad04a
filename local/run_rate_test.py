"""Send requests at a rate: constant, rising or falling, from a profile, or as in an access log. An
open loop: a request is sent at its time even if earlier ones are in flight, and latency counts from
that time."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.common.cli import UsageError, main, whole_number
from local.loadtest import cli, reporting
from local.loadtest.access_log import read_access_log
from local.loadtest.profile import read_profile
from local.loadtest.schedule import RateProfile, Schedule
from local.loadtest.target_options import add_target_options

EXAMPLES = """\
  python run_rate_test.py                               10 requests/s for 10 s
  python run_rate_test.py --rate 100 --for 60           100 requests/s for a minute
  python run_rate_test.py --rate 100 --for 60 --arrivals poisson
                                                        the same, at random times
  python run_rate_test.py --ramp 10:200 --for 120       from 10 to 200 requests/s
  python run_rate_test.py --profile day.csv             rows of seconds,rate
  python run_rate_test.py --replay access.log --speed 2 the requests of a log, in half the time"""

SHAPES = ("rate", "ramp", "profile", "replay")


def rate() -> int:
    parser = cli.LoadTestParser(__doc__ or "", EXAMPLES)
    add_rate_options(parser)
    parser.add_argument("-V", action="store_true", help="print each request as it ends")
    add_target_options(parser)
    reporting.add_report_options(parser)
    options = parser.parse_args()
    return cli.run_load_test(options, schedule_of(options), verbose=options.V)


def add_rate_options(parser: argparse.ArgumentParser) -> None:
    shape = parser.add_argument_group("load, one of --rate, --ramp, --profile and --replay")
    shape.add_argument("--rate", type=float, metavar="R", help="requests per second (default: 10)")
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
        help="duration, for --rate and --ramp (default: 10)",
    )
    shape.add_argument(
        "--arrivals",
        choices=("constant", "poisson"),
        help="constant intervals, or a Poisson process (default: constant)",
    )
    shape.add_argument("--seed", type=whole_number(0), help="of the Poisson process (default: 0)")
    shape.add_argument(
        "--speed", type=float, metavar="X", help="for --replay: X times as fast (default: 1)"
    )


def schedule_of(options: argparse.Namespace) -> Schedule:
    """Raises `UsageError`."""
    given = [name for name in SHAPES if getattr(options, name) is not None]
    if len(given) > 1:
        raise UsageError(f"Use one of {' and '.join(f'--{name}' for name in given)}.")
    shape = given[0] if given else "rate"
    _refuse(options, shape, "speed", of=("replay",))
    _refuse(options, shape, "seconds", of=("rate", "ramp"))
    _refuse(options, shape, "arrivals", of=("rate", "ramp", "profile"))
    if options.seed is not None and options.arrivals != "poisson":
        raise UsageError("--seed needs --arrivals poisson.")
    if shape == "replay":
        return read_access_log(options.replay, 1.0 if options.speed is None else options.speed)
    return _profile(options, shape).schedule(options.arrivals or "constant", options.seed or 0)


def _profile(options: argparse.Namespace, shape: str) -> RateProfile:
    if shape == "profile":
        return read_profile(options.profile)
    seconds = 10.0 if options.seconds is None else options.seconds
    if shape == "rate":
        return RateProfile.steady(10.0 if options.rate is None else options.rate, seconds)
    first, _, last = options.ramp.partition(":")
    try:
        return RateProfile.ramp(float(first), float(last), seconds)
    except ValueError:
        raise UsageError(
            f"--ramp must be two rates such as 10:200; it is {options.ramp!r}."
        ) from None


def _refuse(options: argparse.Namespace, shape: str, name: str, *, of: tuple[str, ...]) -> None:
    """Raises `UsageError` if the option `name` is given, but is not for this shape."""
    if getattr(options, name) is not None and shape not in of:
        option = "for" if name == "seconds" else name
        needed = " or ".join(f"--{shape}" for shape in of)
        raise UsageError(f"--{option} needs {needed}; it does not go with --{shape}.")


if __name__ == "__main__":
    main(rate)
