"""Options and output of the load test scripts."""

import argparse
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.common.cli import OneLineParser, UsageError, check_outputs
from local.common.paths import SAMPLE
from local.loadtest.client.runner import Run, run
from local.loadtest.payload import read_payloads
from local.loadtest.plan import WavePlan
from local.loadtest.report import text
from local.loadtest.report.progress import Progress
from local.loadtest.result import RequestResult
from local.loadtest.stats import Summary, summarize
from local.loadtest.target import Target, http_target

NOTES: Final = """\
times: latency counts from when a request was due, service from when its connection was opened. Each
request opens a new connection; names are resolved once before the run. Percentiles are nearest-rank
and cover requests answered with predictions; failures are counted by kind.

exit status: 0 all answered, 1 a request failed, 2 invalid arguments,
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


def add_report_options(parser: argparse.ArgumentParser) -> None:
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", type=Path, metavar="FILE", help="write the statistics as JSON")
    reports.add_argument("--csv", type=Path, metavar="FILE", help="write a line per request as CSV")
    reports.add_argument("--html", type=Path, metavar="FILE", help="write a report with plots")


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


def require_matplotlib() -> None:
    """Raises `UsageError` if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("Plots need matplotlib: pip install -r requirements.txt")


def run_load_test(options: argparse.Namespace, plan: WavePlan, verbose: bool) -> int:
    """Run `plan`, print and write the reports. Returns the exit status."""
    check_outputs(options.json, options.csv, options.html)
    if options.html:
        require_matplotlib()
    target = create_target(options)
    progress = Progress(plan.requests)

    def show(results: Sequence[RequestResult]) -> None:
        if verbose:
            progress.clear()
            print("\n".join(text.format_result(result) for result in results), flush=True)
        progress.add(results)

    try:
        done = run(target, plan, options.timeout, show)
    finally:
        progress.clear()
    summary = summarize(done)
    print(text.format_report(summary))
    _write(options, done, summary)
    return exit_status(summary, done.stopped_by)


def exit_status(summary: Summary, stopped_by: int | None) -> int:
    if stopped_by is not None:
        return 128 + stopped_by
    return 1 if summary.failures else 0


def _write(options: argparse.Namespace, done: Run, summary: Summary) -> None:
    try:
        if options.json:
            text.write_json(summary, options.json)
        if options.csv:
            text.write_csv(done, options.csv)
        if options.html:
            from local.loadtest.report.html import write_html

            write_html(done, summary, options.html)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}.") from None
