"""The options of the forecast."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from local.common.cli import OneLineParser, whole_number
from local.loadtest import requirements
from local.simulation import aws_figures
from local.simulation.batch import MANIFESTS
from local.simulation.durations import Durations, DurationsError, parse_durations
from local.simulation.measured import ARCHITECTURES
from local.simulation.month import HOURS
from local.simulation.plan_options import MAX_REQUESTS, add_plan_options, number
from local.simulation.service_figures import S3_LATENCY
from local.simulation.services import COSTS
from local.simulation.sizes import MEMORY_MB

MOST_ROWS: Final = 200
"""of a table: each is a simulation"""

MOST_OBJECTS: Final = 20_000_000_000
"""of a job, by AWS's documentation"""

OBJECT_KB: Final = 500
"""The average photo, if nothing states it"""

EXAMPLES: Final = """
examples:
  100 requests every second for a minute, constant durations:
    python forecast.py -N 100 -T 1 -R 60 --warm-ms 25 --cold-ms 1500
  100 requests per second for an hour that arrive independently; durations as p50/p99:
    python forecast.py --rate 100 --for 3600 --arrivals poisson --warm-ms 25/60 --cold-ms 1500/4000
  measured durations, and a plot:
    python forecast.py --ramp 10:200 --for 600 --measured durations.json --plot forecast.png
  memory sizes and architectures in one table, with the cheapest of which p99 is below 500 ms:
    python forecast.py --rate 20 --for 3600 --measured durations.json --sizes 512,1024,1769 \\
      --target "p99<500"
  0 to 100 environments kept ready, in one table:
    python forecast.py -N 100 -T 1 -R 60 --warm-ms 25 --cold-ms 1500 --provisioned 0:100:10
  only some parts of the bill, of requests of 100 kB through an HTTP API:
    python forecast.py --rate 20 --for 3600 --measured durations.json --http-api 100 \\
      --costs compute,api,logs
  a million objects of a bucket by S3 Batch Operations:
    python forecast.py --objects 1000000 --warm-ms 25 --cold-ms 1500 --concurrency 100
  against a load report: 4 warm containers that each take one request at a time:
    python forecast.py -N 4 -T 1 -R 60 --warm-ms 25 --cold-ms 1500 --reserved 4 --provisioned 4 \\
      --compare report.json

the file of --measured: {"cold_ms": [1480, 1512], "warm_ms": {"p50": 25, "p99": 60},
  "memory_mb": 1769, "architecture": "x86_64"}; each duration is a number, a list of numbers, or
  p50 and p99. Command-line options take precedence. Also accepts the file of
  "python -m local.benchmark.lambda_image --json FILE". Durations of other sizes are scaled by the
  share of the CPU: one vCPU at 1,769 MB, nothing faster above.

Throttled requests are counted, not retried. local/simulation/scaling.py states the assumptions;
--figures lists every AWS figure with its source.

exit status: 0, 2 invalid arguments, 3 --target is not met
"""


def create_parser() -> argparse.ArgumentParser:
    result = OneLineParser(
        prog="forecast.py",
        description="Forecast latency, cold starts, throttling and cost of AWS Lambda.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_plan_options(result)
    _add_durations(result)
    _add_function(result)
    _add_costs(result)
    _add_batch(result)
    _add_reports(result)
    return result


def _add_durations(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("durations").add_argument
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
    add(
        "--measured",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="JSON with measured durations; may be repeated, for several sizes",
    )
    add(
        "--unbilled-ms",
        type=number,
        default=0,
        metavar="MS",
        help="unbilled time of each cold start, before INIT (%(default)s)",
    )
    add(
        "--seed",
        type=whole_number(0, MAX_REQUESTS),
        default=0,
        help="seed of random durations and arrivals (%(default)s)",
    )


def _add_function(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("function").add_argument
    whole = whole_number(1, MAX_REQUESTS)
    least, most = int(aws_figures.EPHEMERAL_FREE.value), int(aws_figures.EPHEMERAL_LIMIT.value)
    add("--memory", type=_memory(), metavar="MB", help=f"memory in MB ({MEMORY_MB})")
    add(
        "--sizes",
        type=_sizes,
        metavar="MB,MB",
        help="a table of these memory sizes, with both architectures or that of --architecture; "
        "--warm-ms and --cold-ms are those with --memory",
    )
    add(
        "--architecture", choices=ARCHITECTURES, help=f"processor architecture ({ARCHITECTURES[0]})"
    )
    add(
        "--concurrency-limit",
        type=whole,
        default=int(aws_figures.CONCURRENCY.value),
        metavar="C",
        help="concurrency limit of the account (%(default)s)",
    )
    add("--reserved", type=whole, metavar="C", help="reserved concurrency of the function")
    add(
        "--provisioned",
        type=_provisioned,
        default=[0],
        metavar="C",
        help="provisioned concurrency; a table of several: 0,10,50, or FROM:TO:STEP",
    )
    add(
        "--idle-minutes",
        type=number,
        default=aws_figures.IDLE.value,
        metavar="M",
        help="minutes until an idle environment expires; AWS states no figure (%(default)g)",
    )
    add(
        "--ephemeral",
        type=whole_number(least, most),
        default=least,
        metavar="MB",
        help="ephemeral storage in MB (%(default)s)",
    )


def _add_costs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("costs").add_argument
    add(
        "--costs",
        type=_costs,
        default=COSTS,
        metavar="PART,PART",
        help=f"parts of the bill: all, or some of {', '.join(COSTS)} (all)",
    )
    add(
        "--http-api",
        type=number,
        metavar="KB",
        help="an HTTP API, for requests of this size; a function URL is free",
    )
    add(
        "--system-log-level",
        choices=("INFO", "WARN"),
        default="INFO",
        help="WARN: Lambda does not log the start and report of each invocation (%(default)s)",
    )
    add(
        "--stored",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="share of requests whose photo comes through S3, such as 10%% (0%%)",
    )
    add(
        "--object-kb",
        type=number,
        default=OBJECT_KB,
        metavar="KB",
        help="average size of a photo in S3 (%(default)s)",
    )
    add("--alarms", type=_few(), default=0, metavar="N", help="alarms (%(default)s)")
    add(
        "--dashboards",
        type=_few(),
        default=0,
        metavar="N",
        help="dashboards beyond the three that are free (%(default)s)",
    )


def _add_batch(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("S3 Batch Operations, in place of waves or a rate").add_argument
    add(
        "--objects",
        type=whole_number(1, MOST_OBJECTS),
        metavar="N",
        help="objects, each of which is an invocation",
    )
    add(
        "--concurrency",
        type=whole_number(1, MAX_REQUESTS),
        metavar="C",
        help="invocations at the same time: the reserved concurrency (100)",
    )
    add(
        "--retry-rate",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="share of objects that fail temporarily and run again, such as 1%% (0%%)",
    )
    add(
        "--results",
        action="store_true",
        help="write each result to S3, beside the completion report",
    )
    add(
        "--manifest",
        choices=MANIFESTS,
        default=MANIFESTS[0],
        help="source of the list of objects: S3 Batch Operations itself, S3 Inventory, or a "
        "CSV of your own (%(default)s)",
    )
    add(
        "--same-region",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the bucket is in the region of the function (%(default)s)",
    )
    add(
        "--s3-ms",
        type=number,
        default=S3_LATENCY.value,
        metavar="MS",
        help="time of a request to S3, in which the function waits (%(default)g)",
    )


def _add_reports(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("report").add_argument
    add(
        "--hours-per-day",
        type=_hours,
        default=HOURS,
        metavar="H",
        help="hours in which the plan is repeated, for the cost of a month (%(default)s)",
    )
    add(
        "--target",
        type=requirements.parse,
        metavar="RULE",
        help="end with status 3 unless this is met, such as 'p99<500' (ms), 'failures<0.1%%'; of a "
        "table, name the cheapest row that meets it",
    )
    add("--compare", type=Path, metavar="FILE", help="a load report to compare with")
    add("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    add("--plot", type=Path, metavar="FILE", help="draw concurrency and latencies (matplotlib)")
    add("--figures", action="store_true", help="list the AWS figures with their sources, and exit")


def _durations(text: str) -> Durations:
    try:
        return parse_durations(text)
    except DurationsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _hours(text: str) -> float:
    value = number(text)
    if not 0 < value <= HOURS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, up to {HOURS}")
    return value


def _costs(text: str) -> tuple[str, ...]:
    """The parts, in the order of `COSTS`."""
    parts = COSTS if text == "all" else text.split(",")
    for part in parts:
        if part not in COSTS:
            raise argparse.ArgumentTypeError(f"{part!r} is not all or one of {', '.join(COSTS)}")
    return tuple(part for part in COSTS if part in parts)


def _share(text: str) -> float:
    """`1%` or `0.01`."""
    value = number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is more than 100%; write 1% or 0.01")
    return value


def _few() -> Callable[[str], int]:
    return whole_number(0, 1000)


def _sizes(text: str) -> list[int]:
    return sorted({_memory()(part) for part in text.split(",")})


def _provisioned(text: str) -> list[int]:
    """A number, numbers with commas, or first:last:step; ascending."""
    whole = whole_number(0, MAX_REQUESTS)
    if ":" not in text:
        values = sorted({whole(part) for part in text.split(",")})
    else:
        parts = [whole(part) for part in text.split(":")]
        if len(parts) != 3 or parts[2] == 0 or parts[0] > parts[1]:
            raise argparse.ArgumentTypeError(f"{text!r} is not FROM:TO:STEP such as 0:100:10")
        values = list(range(parts[0], parts[1] + 1, parts[2])[: MOST_ROWS + 1])
    if len(values) > MOST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} has more than {MOST_ROWS} values")
    return values


def _memory() -> Callable[[str], int]:
    return whole_number(int(aws_figures.MEMORY_MIN.value), int(aws_figures.MEMORY_MAX.value))
