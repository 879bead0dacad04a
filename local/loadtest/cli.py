"""Options of the load test scripts."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.common.cli import OneLineParser, UsageError
from local.common.paths import SAMPLE
from local.loadtest import reporting
from local.loadtest.bridge import records_of, run_of
from local.loadtest.client.runner import run
from local.loadtest.payload import read_payloads
from local.loadtest.plan import WavePlan
from local.loadtest.result import RequestResult
from local.loadtest.run import ANSWERED, IN_FLIGHT
from local.loadtest.schedule import WavePlan as Waves
from local.loadtest.service_metrics import Watch
from local.loadtest.target import Target, http_target

NOTES: Final = """\
times: latency counts from when a request was due, service from when its connection was opened. Each
request opens a new connection; names are resolved once before the run. Percentiles are nearest-rank
and cover requests answered with predictions; failures are counted by kind.

exit status: 0 all answered, 1 a request failed, 2 invalid arguments, 3 a requirement is broken,
4 the client was the limit, so that the figures are not those of the service,
130 stopped by Ctrl-C (143 by SIGTERM), with a report of the results so far
"""


class Interrupted(Exception):
    """A signal stopped a series of runs."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        """The signal number."""


class LoadTestParser(OneLineParser):
    """The parser of the load test scripts."""

    def __init__(self, description: str, examples: str) -> None:
        super().__init__(
            description=description,
            epilog=f"examples:\n{examples}\n\n{NOTES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )


def add_target_options(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("target")
    where.add_argument(
        "--url", default="http://localhost:8000/", help="the service (default: %(default)s)"
    )
    where.add_argument(
        "--lambda",
        dest="function",
        metavar="FUNCTION",
        help="invoke this Lambda function (name or ARN) through boto3 instead of --url",
    )
    where.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="Lambda API endpoint for --lambda, such as http://localhost:9000 for a local emulator",
    )
    where.add_argument(
        "--image",
        type=Path,
        default=SAMPLE,
        metavar="PATH",
        help="an image, or a folder whose images are sent in turn (default: the sample)",
    )
    where.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="maximum duration of a request (default: %(default)g)",
    )


def create_target(options: argparse.Namespace) -> Target:
    """The target that `options` describe. Raises `UsageError`."""
    if not (math.isfinite(options.timeout) and options.timeout > 0):
        raise UsageError(f"--timeout must be more than 0 seconds; it is {options.timeout:g}.")
    payloads = read_payloads(options.image)
    if options.function is None:
        if options.endpoint_url is not None:
            raise UsageError("--endpoint-url needs --lambda FUNCTION.")
        return http_target(options.url, payloads)
    from local.loadtest.lambda_target import lambda_target

    return lambda_target(options.function, options.endpoint_url, payloads)


def run_load_test(options: argparse.Namespace, plan: WavePlan, verbose: bool) -> int:
    """Run `plan`, print and write the reports. Returns the exit status."""
    reporting.check_report_options(options)
    target = create_target(options)
    schedule = Waves(plan.parallel, plan.period, plan.repeat).schedule()
    output = reporting.Output(schedule, verbose=verbose)
    kinds = [ANSWERED, IN_FLIGHT]

    def show(results: Sequence[RequestResult]) -> None:
        output.show(records_of(results, plan, kinds), kinds)

    watch = Watch(target.name, target.address.tls)
    try:
        done = run(target, plan, options.timeout, show)
    finally:
        output.clear()
    return reporting.report(options, run_of(done), watch.view())
