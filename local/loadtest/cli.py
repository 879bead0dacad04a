"""Options of the load test scripts."""

import argparse
from typing import Final

from local.common.cli import OneLineParser
from local.loadtest import reporting
from local.loadtest.engine.engine import run
from local.loadtest.schedule import Schedule
from local.loadtest.service_metrics import Watch
from local.loadtest.target_options import create_target

NOTES: Final = """\
times: latency counts from when a request was due, service from when its connection was opened. Each
request opens a new connection, unless there is --keep-alive; names are resolved once before the
run. Percentiles are nearest-rank and cover requests answered with predictions; failures are counted
by kind.

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


def run_load_test(options: argparse.Namespace, schedule: Schedule, *, verbose: bool) -> int:
    """Run `schedule`, print and write the reports. Returns the exit status."""
    reporting.check_report_options(options)
    target = create_target(options)
    output = reporting.Output(schedule, verbose=verbose)
    watch = Watch(target.name, target.address.tls)
    try:
        done = run(target, schedule, options.timeout, output.show)
    finally:
        output.clear()
    return reporting.report(options, done, watch.view())
