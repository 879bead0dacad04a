"""Forecast latency, cold starts, throttling and cost of AWS Lambda under waves of requests."""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

from local.common.cli import OneLineParser, whole_number
from local.simulation import aws_figures
from local.simulation.comparison import compare
from local.simulation.durations import Durations, DurationsError, Times, parse_durations
from local.simulation.measured import (
    ARCHITECTURES,
    Measured,
    MeasuredError,
    read_measured,
    read_object,
)
from local.simulation.prediction import Plan, Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.report import comparison_table, figures_table, report
from local.simulation.scaling import Limits

MAX_REQUESTS = 10_000_000
MAX_SECONDS = 1e9
MEMORY_MB = int(aws_figures.VCPU.value)

EXAMPLES = """
examples:
  100 requests every second for a minute, constant durations:
    python forecast.py -N 100 -T 1 -R 60 --warm-ms 25 --cold-ms 1500
  durations as percentiles (p50/p99), and 50 environments kept ready:
    python forecast.py -N 100 -T 1 -R 60 --warm-ms 25/60 --cold-ms 1500/4000 --provisioned 50
  measured durations, and a plot:
    python forecast.py -N 1000 -T 10 -R 360 --measured durations.json --plot forecast.png
  against a load report: 4 warm containers that each take one request at a time:
    python forecast.py -N 4 -T 1 -R 60 --warm-ms 25 --cold-ms 1500 --reserved 4 --provisioned 4 \\
      --compare report.json

the file of --measured: {"cold_ms": [1480, 1512], "warm_ms": {"p50": 25, "p99": 60},
  "memory_mb": 1769, "architecture": "x86_64"}; each duration is a number, a list of numbers, or
  p50 and p99. Command-line options take precedence. Also accepts the file of
  "python -m local.benchmark.lambda_image --json FILE".

Throttled requests are counted, not retried. local/simulation/scaling.py states the assumptions;
--figures lists every AWS figure with its source.
"""


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1,000,000,000")
    return value


def _durations(text: str) -> Durations:
    try:
        return parse_durations(text)
    except DurationsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def create_parser() -> argparse.ArgumentParser:
    result = OneLineParser(
        prog="forecast.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    whole = whole_number(1, MAX_REQUESTS)
    memory = whole_number(int(aws_figures.MEMORY_MIN.value), int(aws_figures.MEMORY_MAX.value))
    ephemeral = whole_number(
        int(aws_figures.EPHEMERAL_FREE.value), int(aws_figures.EPHEMERAL_LIMIT.value)
    )
    concurrency, idle = int(aws_figures.CONCURRENCY.value), aws_figures.IDLE.value
    add("-N", type=whole, default=1, help="requests in a wave (%(default)s)")
    add("-T", type=_number, default=1, help="seconds from wave to wave (%(default)s)")
    add("-R", type=whole, default=1, help="waves (%(default)s)")
    add(
        "--warm-ms",
        type=_durations,
        metavar="MS",
        help="duration of a warm request: MS, or P50/P99",
    )
    add(
        "--cold-ms",
        type=_durations,
        metavar="MS",
        help="duration of INIT and the first request: MS, or P50/P99",
    )
    add("--measured", type=Path, metavar="FILE", help="JSON with measured durations")
    add("--memory", type=memory, metavar="MB", help=f"memory in MB ({MEMORY_MB})")
    add(
        "--architecture", choices=ARCHITECTURES, help=f"processor architecture ({ARCHITECTURES[0]})"
    )
    add(
        "--concurrency-limit",
        type=whole,
        default=concurrency,
        metavar="C",
        help="concurrency limit of the account (%(default)s)",
    )
    add("--reserved", type=whole, metavar="C", help="reserved concurrency of the function")
    add(
        "--provisioned",
        type=whole_number(0, MAX_REQUESTS),
        default=0,
        metavar="C",
        help="provisioned concurrency",
    )
    add(
        "--idle-minutes",
        type=_number,
        default=idle,
        metavar="M",
        help="minutes until an idle environment expires; AWS states no figure (%(default)g)",
    )
    add(
        "--unbilled-ms",
        type=_number,
        default=0,
        metavar="MS",
        help="unbilled time of each cold start, before INIT (%(default)s)",
    )
    add(
        "--ephemeral",
        type=ephemeral,
        default=int(aws_figures.EPHEMERAL_FREE.value),
        metavar="MB",
        help="ephemeral storage in MB (%(default)s)",
    )
    add(
        "--http-api",
        type=_number,
        metavar="KB",
        help="add the price of an HTTP API for requests of this size",
    )
    add("--compare", type=Path, metavar="FILE", help="a load report to compare with")
    add("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    add("--plot", type=Path, metavar="FILE", help="draw concurrency and latencies (matplotlib)")
    add(
        "--seed",
        type=whole_number(0, MAX_REQUESTS),
        default=0,
        help="seed of the random durations (%(default)s)",
    )
    add("--figures", action="store_true", help="list the AWS figures with their sources, and exit")
    return result


def forecast(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status. Raises `UsageError`."""
    parser = create_parser()
    options = parser.parse_args(arguments)
    if options.figures:
        print(figures_table(), end="")
        return 0
    try:
        measured = (
            read_measured(options.measured, options.memory) if options.measured else Measured()
        )
        report_to_compare = read_object(options.compare) if options.compare else None
    except MeasuredError as error:
        parser.error(str(error))
    limits = _limits(parser, options)
    prediction = _predict(parser, options, measured, limits)
    print(report(prediction, _notes(options, measured)), end="")
    if report_to_compare is not None:
        print("\n" + comparison_table(compare(prediction.as_json(), report_to_compare)), end="")
    _write_files(parser, options, prediction)
    return 0


def _limits(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Limits:
    unreserved = int(aws_figures.UNRESERVED.value)
    most = max(options.concurrency_limit - unreserved, 0)
    if options.reserved and options.reserved > most:
        parser.error(
            f"--reserved {options.reserved} must be at most {most}: AWS keeps {unreserved} of the "
            f"account's {options.concurrency_limit} unreserved"
        )
    concurrency = options.reserved or options.concurrency_limit
    if options.provisioned > (options.reserved or most):
        limit = "--reserved" if options.reserved else f"--concurrency-limit less {unreserved}"
        parser.error(
            f"--provisioned {options.provisioned} must be at most "
            f"{options.reserved or most} ({limit})"
        )
    return Limits(concurrency, options.provisioned, options.idle_minutes * 60)


def _predict(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    measured: Measured,
    limits: Limits,
) -> Prediction:
    warm, cold = options.warm_ms or measured.warm, options.cold_ms or measured.cold
    if warm is None or cold is None:
        missing = "warm" if warm is None else "cold"
        parser.error(
            f"set --{missing}-ms, or --measured to a file with {missing}_ms, such as "
            "docs/measured/lambda.json"
        )
    if options.N * options.R > MAX_REQUESTS:
        parser.error(f"-N times -R must be at most {MAX_REQUESTS:,} requests")
    if options.T * options.R > MAX_SECONDS:
        parser.error(f"-T times -R must be at most {MAX_SECONDS:,.0f} seconds")
    function = FunctionConfig(
        options.memory or measured.memory_mb or MEMORY_MB,
        options.architecture or measured.architecture or ARCHITECTURES[0],
        options.ephemeral,
        options.provisioned,
        options.unbilled_ms,
        options.http_api,
    )
    return predict(
        Plan(options.N, options.T, options.R), limits, function, Times(cold, warm), options.seed
    )


def _notes(options: argparse.Namespace, measured: Measured) -> list[str]:
    if options.memory and measured.memory_mb not in {None, options.memory}:
        return [
            f"The durations were measured with {measured.memory_mb} MB and are used unchanged "
            f"for {options.memory} MB, which has another CPU share."
        ]
    return []


def _write_files(
    parser: argparse.ArgumentParser, options: argparse.Namespace, prediction: Prediction
) -> None:
    try:
        if options.json:
            options.json.write_text(json.dumps(prediction.as_json(), indent=2) + "\n", "utf-8")
        if options.plot:
            from local.simulation.plot import plot

            plot(prediction, options.plot)
    except ImportError as error:
        parser.error(f"--plot needs matplotlib (pip install -r requirements.txt): {error}")
    except OSError as error:
        parser.error(f"{error.filename or options.plot} cannot be written: {error.strerror}")
    except ValueError as error:
        parser.error(f"--plot {options.plot}: {error}")
