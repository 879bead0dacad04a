"""Read the completion reports of S3 Batch Operations and count the result of every photo."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Final

from local.common.cli import OneLineParser, UsageError, check_outputs, whole_number
from local.common.terminal import TerminalLine
from local.completion.outputs import STDOUT, Manifest, Results, opened
from local.completion.places import find_entries, find_reports
from local.completion.seen import Seen
from local.completion.tally import Tally, last_tasks, missing_entries
from local.completion.tasks import Task
from local.completion.text import as_json, summary_lines

EPILOG: Final = """\
examples:
  python batch_report.py s3://BUCKET/batch/reports
  python batch_report.py s3://BUCKET/batch/reports --csv results.csv --failed again.csv
  python batch_report.py job-1234/ --csv - --top 3
  python batch_report.py s3://BUCKET/batch/reports --manifest s3://BUCKET/batch/manifests/photos.csv

Reports are folders or prefixes with the manifest.json of one or several jobs, such a manifest.json,
or single CSV files. If several jobs ran a photo, the latest one counts. --failed writes a manifest
of all photos that another run may classify: those whose failure was temporary, and with --manifest
those without a task. docs/bucket.md describes all steps.

exit status: 0 every photo has exactly one task, which classified it, 1 some failed, are missing or
occur twice, or there are none, 2 invalid arguments or reports
"""

_SHOW_EVERY: Final = 0.2
_ROWS_BETWEEN: Final = 5_000
MAX_TOP: Final = 100


def batch_report() -> int:
    """The command. Returns the exit status."""
    options = _parser().parse_args()
    files = [options.csv, options.failed, options.json]
    check_outputs(*(path for path in files if path != STDOUT))
    if files.count(STDOUT) > 1:
        raise UsageError("Only one of --csv, --failed and --json can be standard output.")
    reports = find_reports(options.reports)
    read = [part.name for report in reports for part in report.parts]
    read += [f"{report.name}/manifest.json" for report in reports]
    _check_distinct(files, [*read, *options.reports, *filter(None, [options.manifest])])
    tally, seen = Tally(), Seen()
    with ExitStack() as stack:
        results = manifest = None
        if options.csv:
            file = stack.enter_context(opened(options.csv, mark=True))
            results = Results(file, options.top)
        if options.failed:
            manifest = Manifest(stack.enter_context(opened(options.failed)))
        for task in _shown(last_tasks(reports, tally, seen)):
            result = tally.add(task)
            if results and result:
                results.add(task, result)
            elif manifest and not task.succeeded and (options.permanent or not task.is_permanent):
                manifest.add(task)
        if options.manifest:
            for entry in missing_entries(find_entries(options.manifest), tally, seen):
                if manifest:
                    manifest.add(entry)
    if options.json:
        with opened(options.json) as file:
            json.dump(as_json(tally, len(reports)), file, indent=2, ensure_ascii=False)
            file.write("\n")
    shown = sys.stderr if STDOUT in files else sys.stdout
    for line in summary_lines(tally, len(reports)):
        print(line, file=shown)
    return 0 if tally.is_complete else 1


def _check_distinct(outputs: Iterable[Path | None], inputs: Iterable[str]) -> None:
    """Raises `UsageError` if a file that is read would be written, or a file by two options."""
    taken = {Path(name).resolve() for name in inputs}
    for path in outputs:
        if path in (None, STDOUT) or (path.exists() and not path.is_file()):  # a device
            continue
        if path.resolve() in taken:
            raise UsageError(
                f"{str(path)!r} is a report or a manifest, or named twice. Name another file."
            )
        taken.add(path.resolve())


def _shown(tasks: Iterator[Task]) -> Iterator[Task]:
    """The tasks; their number is shown on a terminal."""
    line = TerminalLine()
    return _counted(tasks, line) if line.is_shown else tasks


def _counted(tasks: Iterator[Task], line: TerminalLine) -> Iterator[Task]:
    start = shown = monotonic()
    for number, task in enumerate(tasks, 1):
        if not number % _ROWS_BETWEEN and monotonic() > shown + _SHOW_EVERY:
            shown = monotonic()
            line.write(f"{number:,} photos, {number / (shown - start):,.0f}/s")
        yield task
    line.clear()


def _parser() -> OneLineParser:
    parser = OneLineParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("reports", nargs="+", metavar="REPORT", help="a file, a folder or s3://…")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="key, label and probability; - for stdout"
    )
    parser.add_argument(
        "--top",
        type=whole_number(1, MAX_TOP),
        default=1,
        metavar="N",
        help="classes of each photo in --csv (default: 1)",
    )
    parser.add_argument(
        "--failed", type=Path, metavar="FILE", help="a manifest of the photos to run again"
    )
    parser.add_argument(
        "--permanent", action="store_true", help="in --failed, permanent failures as well"
    )
    parser.add_argument(
        "--manifest",
        metavar="FILE",
        help="the job's manifest, a file or s3://…: its photos without a task count as missing",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="the summary as JSON; - for stdout"
    )
    return parser
