"""Find the load that a running service sustains: p99 latency and failures within limits, and no
backlog that grows. By default a steady rate; --arrivals waves finds the largest burst of one every
T seconds."""

import argparse
import json
import math
import signal
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from local.common.cli import UsageError, check_outputs, unwritable
from local.loadtest import cli
from local.loadtest.capacity.experiment import Experiment
from local.loadtest.capacity.result import Result, introduction
from local.loadtest.capacity.search import Search
from local.loadtest.capacity.shapes import Shape, Steady, Waves
from local.loadtest.capacity.step import Criteria
from local.loadtest.environment import environment
from local.loadtest.reporting import require_matplotlib
from local.loadtest.requirements import RATE, Requirement, broken
from local.loadtest.requirements import parse as parse_requirement
from local.loadtest.schedule import check_requests
from local.loadtest.target_options import add_target_options, create_target

EXAMPLES = """\
  python capacity.py                            the rate with 99 % of responses within 1 s
  python capacity.py --limit 250 --failures 1% --plot capacity.svg
  python capacity.py --arrivals poisson --json capacity.json
  python capacity.py --arrivals waves -T 0.5 --limit 500
                                                the largest wave, one every 0.5 s"""

NOTES: Final = """\
The search measures single requests, then rates that double until one is not sustained, then the
rate in the middle of what is still possible. See docs/load-testing.md.

exit status: 0 found, or --most is sustained; 1 no load is sustained, or there was no time for a
result; 2 invalid arguments; 3 a requirement is not met; 4 the client was the limit, and the result
is a lower bound; 130 stopped by Ctrl-C (143 by SIGTERM), with what is known so far
"""

FORMATS: Final = (".svg", ".png", ".pdf")

_GROWTH_BY_PRECISION: Final = 0.4
"""Latency may grow by this part of the precision: at 5 %, by 20 ms a second. Without noise, the
rate that is found is at most this part too high."""

_LONG_STEPS: Final = 15
"""Long measurements for which the time of the search is enough."""

_LEAST_SECONDS: Final = 20.0
_TIMEOUT_SECONDS: Final = 10.0
_PRECISIONS: Final = (0.01, 0.5)


def capacity() -> int:
    options = parse()
    shape, criteria = shape_of(options), criteria_of(options)
    check_requirements(options.require)
    check_outputs(options.json, options.plot)
    if options.plot:
        require_matplotlib()
        if options.plot.suffix.lower() not in FORMATS:
            raise UsageError(f"--plot must end in {', '.join(FORMATS)}: {str(options.plot)!r}.")
    target = create_target(options)
    result = Result(target.name, Search(shape, 1.0, options.most, options.precision), criteria)
    experiment = Experiment(target, result, options.seconds, options.timeout)
    print(introduction(result), flush=True)
    try:
        with _raising_on_signals():
            experiment.search()
    except cli.Interrupted as stopped:
        result.stopped_by = stopped.number
    finally:
        experiment.progress.clear()
    unmet = broken(options.require, {RATE: result.rate})
    try:
        print("\n".join(["", result.verdict(), *(f"not met     {line}" for line in unmet)]))
    finally:  # also if nobody reads the output to its end
        write(options, result)
    if result.stopped_by is not None:
        return 128 + result.stopped_by
    if result.client_limit:
        return 4
    if unmet:
        return 3
    return 1 if result.load is None else 0


@contextmanager
def _raising_on_signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise `cli.Interrupted`, except in a run, which has its own handlers."""

    def stop(number: int, _: object) -> NoReturn:
        raise cli.Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parse() -> Namespace:
    parser = cli.LoadTestParser(__doc__ or "", EXAMPLES)
    parser.epilog = f"examples:\n{EXAMPLES}\n\n{NOTES}"
    load = parser.add_argument_group("load")
    load.add_argument(
        "--arrivals",
        choices=("constant", "poisson", "waves"),
        default="constant",
        help="a rate with constant intervals or a Poisson process, or waves (default: constant)",
    )
    load.add_argument("-T", type=float, help="seconds from wave to wave (default: 1)")
    load.add_argument("-R", type=int, help="waves of each size (default: 5)")
    load.add_argument(
        "--most",
        type=float,
        default=10_000,
        metavar="N",
        help="highest rate, or largest wave (default: %(default)g)",
    )
    search = parser.add_argument_group("search")
    search.add_argument(
        "--limit",
        type=float,
        default=1000,
        metavar="MS",
        help="maximum p99 latency in ms (default: %(default)g)",
    )
    search.add_argument(
        "--failures",
        type=share,
        default=0.001,
        metavar="SHARE",
        help="maximum share of failures, such as 0.1%% or 0 (default: 0.1%%)",
    )
    search.add_argument(
        "--for",
        type=float,
        dest="seconds",
        default=120.0,
        metavar="SECONDS",
        help="maximum time for the search; with more time, measurements are longer "
        "(default: %(default)g)",
    )
    search.add_argument(
        "--precision",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="the search ends when the interval is as narrow as this (default: 5%%)",
    )
    search.add_argument(
        "--require",
        type=parse_requirement,
        action="append",
        default=[],
        metavar="RULE",
        help="end with status 3 unless the rate meets it, such as 'rate>=45'",
    )
    add_target_options(parser)
    parser.set_defaults(timeout=_TIMEOUT_SECONDS)
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    reports.add_argument(
        "--plot", type=Path, metavar="FILE", help=f"draw the measurements: {', '.join(FORMATS)}"
    )
    return parser.parse_args()


def check_requirements(requirements: Sequence[Requirement]) -> None:
    """Raises `UsageError` if one is not about the rate: the limits of the search are the others."""
    for requirement in requirements:
        if requirement.name != RATE:
            raise UsageError(
                f"--require {str(requirement)!r}: only a rate can be required, such as 'rate>=45'. "
                "Use --limit for p99 and --failures for failures."
            )


def share(text: str) -> float:
    """An option type: a part of 1, such as 0.001 or 0.1%."""
    number = text.removesuffix("%")
    try:
        value = float(number) / (1 if number == text else 100)
    except ValueError:
        value = math.nan
    if 0 <= value < 1:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 0.1% or 0.001")


def shape_of(options: Namespace) -> Shape:
    """The loads to search. Raises `UsageError`."""
    seconds, most = options.seconds, options.most
    if not _LEAST_SECONDS <= seconds < math.inf:
        raise UsageError(f"--for must be {_LEAST_SECONDS:g} seconds or more; it is {seconds:g}.")
    if options.arrivals == "waves":
        if not 1 <= most < math.inf or most != int(most):
            raise UsageError(f"--most must be a number of requests, 1 or more; it is {most:g}.")
        waves = Waves(
            1.0 if options.T is None else options.T, 5 if options.R is None else options.R
        )
        check_requests(most * waves.repeat, "Use a smaller --most or -R")
        return waves
    if options.T is not None or options.R is not None:
        raise UsageError("-T and -R need --arrivals waves.")
    if not 0 < most < math.inf:
        raise UsageError(f"--most must be more than 0 requests/s; it is {most:g}.")
    steady = Steady(options.arrivals, seconds / _LONG_STEPS)
    check_requests(most * steady.seconds(most, long=True), "Use a lower --most or --for")
    return steady


def criteria_of(options: Namespace) -> Criteria:
    """When a load is sustained. Raises `UsageError`."""
    if not 0 < options.limit < math.inf:
        raise UsageError(f"--limit must be more than 0 ms; it is {options.limit:g}.")
    if options.limit > options.timeout * 1000:
        raise UsageError(
            f"--limit must be at most the --timeout of a request, {options.timeout * 1000:g} ms."
        )
    if not _PRECISIONS[0] <= options.precision <= _PRECISIONS[1]:
        raise UsageError(
            f"--precision must be from {_PRECISIONS[0]:.0%} to {_PRECISIONS[1]:.0%}; "
            f"it is {options.precision:.3g}."
        )
    return Criteria(options.limit, options.failures, _GROWTH_BY_PRECISION * options.precision)


def write(options: Namespace, result: Result) -> None:
    try:
        if options.json:
            text = json.dumps(result.as_dict(environment()), indent=2, allow_nan=False)
            options.json.write_text(f"{text}\n", encoding="utf-8")
        if options.plot:
            from local.loadtest.capacity.plot import save_plot

            save_plot(result, options.plot)
    except OSError as error:
        raise unwritable(error) from None
