"""Output of the load test scripts: progress, reports and the exit status."""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from local.common.cli import UsageError, check_outputs, unwritable
from local.loadtest.blocks import blocks_of
from local.loadtest.environment import environment
from local.loadtest.report import data, text
from local.loadtest.report.progress import Progress
from local.loadtest.requirements import add_requirement_options, broken
from local.loadtest.run import Records, Run
from local.loadtest.schedule import Schedule
from local.loadtest.service_metrics import ServiceView
from local.loadtest.stats import Summary, summarize
from local.loadtest.verdict import (
    decides_failures,
    figures_of,
    measured_of,
    results,
    write_verdict,
)


def add_report_options(parser: argparse.ArgumentParser) -> None:
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", type=Path, metavar="FILE", help="write the statistics as JSON")
    reports.add_argument("--csv", type=Path, metavar="FILE", help="write a line per request as CSV")
    reports.add_argument("--html", type=Path, metavar="FILE", help="write a report with plots")
    reports.add_argument(
        "--late-ok",
        action="store_true",
        help="no exit status 4 if the client was the limit; the report still says so",
    )
    add_requirement_options(parser)


def check_report_options(options: argparse.Namespace) -> None:
    """Check that the reports can be written, before the run. Raises `UsageError`."""
    check_outputs(options.json, options.csv, options.html, options.junit)
    if options.html:
        require_matplotlib()


def require_matplotlib() -> None:
    """Raises `UsageError` if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("Plots need matplotlib: pip install -r requirements.txt")


class Output:
    """Progress of a run and, if `verbose`, a line for each request."""

    def __init__(self, schedule: Schedule, *, verbose: bool) -> None:
        self._schedule = schedule
        self._verbose = verbose
        self._progress = Progress(schedule)

    def show(self, records: Records, kinds: Sequence[str]) -> None:
        """Show requests that have ended; `kinds` is that of their `Run`. Also called without any
        every half second, to show the time."""
        if self._verbose and len(records):
            self._progress.clear()
            print(text.format_records(self._schedule, records, kinds), flush=True)
        self._progress.add(records)

    def clear(self) -> None:
        """Clear the line of progress."""
        self._progress.clear()


def report(options: argparse.Namespace, done: Run, view: ServiceView | None = None) -> int:
    """Print and write the reports of a run. Returns the exit status. `view` is that of the
    service."""
    summary = summarize(done, environment(), view)
    not_met = broken(options.require, figures_of(summary))
    try:
        print(text.format_report(summary))
        if options.require:
            print(text.format_verdict(len(options.require), not_met), flush=True)
    finally:  # also if nobody reads the output to its end
        _write(options, done, summary)
    return exit_status(
        summary,
        done.stopped_by,
        not_met,
        failures_required=decides_failures(options.require),
        late_ok=options.late_ok,
    )


def exit_status(
    summary: Summary,
    stopped_by: int | None,
    broken: Sequence[str] = (),
    *,
    failures_required: bool = False,
    late_ok: bool = False,
) -> int:
    """The exit status of a run.

    stopped_by: the signal that stopped it. broken: a line for each broken requirement.
    failures_required: whether a requirement about failures decides instead of the first failure.
    late_ok: whether a run in which the client was the limit counts like any other.
    """
    if stopped_by is not None:
        return 128 + stopped_by
    if summary.client_limit and not late_ok:
        return 4
    if broken:
        return 3
    return 1 if summary.failures and not failures_required else 0


def _write(options: argparse.Namespace, done: Run, summary: Summary) -> None:
    try:
        if options.json:
            data.write_json(
                summary,
                options.json,
                requirements=results(summary, options.require),
                blocks=blocks_of(done).as_dict(),
            )
        if options.csv:
            data.write_csv(done, options.csv)
        if options.html:
            from local.loadtest.report.html import write_html

            write_html(done, summary, options.html, options.require, figures_of(summary))
        if options.junit:
            measured = measured_of(summary)
            write_verdict(options.junit, measured, options.require, late_ok=options.late_ok)
    except OSError as error:
        raise unwritable(error) from None
