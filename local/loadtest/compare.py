"""Compare two load tests by their JSON reports: is the second slower than the first?"""

import argparse
import importlib.util
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.common.cli import OneLineParser, UsageError, check_outputs, unwritable
from local.loadtest.blocks import Blocks, join
from local.loadtest.comparison import (
    JUDGED,
    METRICS,
    TOLERANCE,
    Comparison,
    compare_blocks,
    estimates,
)
from local.loadtest.junit import Case, write_junit
from local.loadtest.report import compare_text

EPILOG: Final = """\
examples:
  python run_multiple_tests.py -N 20 -T 0.5 -R 120 --json before.json
  python run_multiple_tests.py -N 20 -T 0.5 -R 120 --json after.json
  python compare.py before.json after.json
  python compare.py before.json after.json --metric p95 --tolerance 5% --html compare.html
  python compare.py before1.json after1.json before2.json after2.json     runs in turn, pooled

Differences have intervals from a bootstrap over seconds or waves. b is slower if a judged figure is
worse beyond chance and beyond the tolerance: its whole interval is. p50, p99 and the failures are
judged, or the failures and each --metric; the other lines are for information. The intervals are
made for a chance of 5 %, for all judged figures together, that equal runs seem to differ;
docs/pipelines.md has measured shares. Runs need at least 10 blocks (seconds, or waves if they are
farther apart), better 60.

exit status: 0 no regression, 2 invalid arguments or runs too short to compare, 3 b is worse than a,
4 the client was the limit in a run, so that its figures are not those of the service
(--late-ok compares such runs like others)
"""


@dataclass(frozen=True)
class Report:
    """The JSON report of a run."""

    name: str
    """a or b; a1, b1, a2 ... if there are several."""
    path: Path
    summary: dict[str, Any]
    blocks: Blocks

    @property
    def client_limit(self) -> str | None:
        found = self.summary.get("client_limit")
        return str(found) if found else None

    @property
    def about(self) -> str:
        """The target and the plan."""
        parts = [str(self.summary.get(key, "")) for key in ("target", "description")]
        return ", ".join(part for part in parts if part)


def compare() -> int:
    """The command. Returns the exit status."""
    options = _parser().parse_args()
    check_outputs(options.html, options.json, options.junit)
    if options.html and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("Plots need matplotlib: pip install -r requirements.txt")
    reports = read_reports(options.reports)
    blocks = [join([report.blocks for report in side]) for side in (reports[::2], reports[1::2])]
    for report, side in zip(reports, blocks, strict=False):
        # If all requests of b have failed, that is a result.
        if estimates(side)["p50"] is None and (side is blocks[0] or not side.failures.any()):
            name = str(report.path)
            raise UsageError(f"{name!r}: no request was answered, so nothing can be compared.")
    found = compare_blocks(
        *blocks,
        judged=options.metric or JUDGED,
        tolerance=options.tolerance,
    )
    notes = warnings(reports)
    status = exit_status(found, reports, late_ok=options.late_ok)
    try:
        print(compare_text.format_comparison(found, titles(reports), notes))
    finally:  # also if nobody reads the output to its end
        _write(options, found, reports, blocks, notes, status)
    return status


def read_reports(paths: Sequence[Path]) -> list[Report]:
    """The reports, alternately of a and b. Raises `UsageError`."""
    if len(paths) % 2:
        raise UsageError(
            "Name two reports, or an even number of them, alternately of a and b (see --help)."
        )
    numbered = len(paths) > 2
    return [
        read_report(f"{'ab'[index % 2]}{index // 2 + 1 if numbered else ''}", path)
        for index, path in enumerate(paths)
    ]


def titles(reports: Sequence[Report]) -> list[str]:
    """The files of a and of b, with the target and the plan of the first."""
    return [
        f"{', '.join(str(report.path) for report in side)}: {side[0].about}"
        for side in (reports[::2], reports[1::2])
    ]


def read_report(name: str, path: Path) -> Report:
    """The report that a load test wrote with --json. Raises `UsageError`."""
    try:
        summary = json.loads(path.read_text("utf-8"), parse_constant=_finite, parse_float=_finite)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{str(path)!r} is not JSON. {_WRITE}") from None
    if not isinstance(summary, dict) or not isinstance(summary.get("blocks"), dict):
        raise UsageError(f"{str(path)!r} is not the report of a load test. {_WRITE}")
    try:
        return Report(name, path, summary, Blocks.from_dict(summary["blocks"]))
    except ValueError as error:
        raise UsageError(f"{str(path)!r}: {error}. {_WRITE}") from None


def _finite(text: str) -> float:
    """Raises `ValueError` for numbers that JSON has, but Python has not: they would be written as
    Infinity, which is not JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def warnings(reports: Sequence[Report]) -> list[str]:
    """What makes the comparison doubtful, a line for each."""
    lines = [f"{report.name}: {report.client_limit}" for report in reports if report.client_limit]
    lines += [
        f"{report.name} was stopped early: requests that take long are missing."
        for report in reports
        if report.summary.get("stopped")
    ]
    first = reports[0].summary
    for key, noun in (("target", "targets"), ("plan", "plans"), ("connections", "connections")):
        other = next((r.summary for r in reports if r.summary.get(key) != first.get(key)), None)
        if other is not None:
            shown = "description" if key == "plan" else key
            lines.append(f"The {noun} differ: {first.get(shown)}, and {other.get(shown)}.")
    return lines


def exit_status(comparison: Comparison, reports: Sequence[Report], *, late_ok: bool) -> int:
    """2: too short to compare, 4: the client was the limit, 3: b is worse, else 0."""
    if not comparison.is_possible:
        return 2
    if not late_ok and any(report.client_limit for report in reports):
        return 4
    return 3 if comparison.is_regression else 0


def cases(comparison: Comparison, reports: Sequence[Report], *, late_ok: bool) -> list[Case]:
    """A test case for each judged figure, and one for the client of each run."""
    found = [
        Case(
            f"the client is not the limit of {report.name}",
            failed=None if late_ok else report.client_limit,
            skipped=report.client_limit if late_ok else None,
        )
        for report in reports
    ]
    for difference in comparison.judged:
        line = compare_text.describe(difference)
        name = f"b is not worse: {difference.metric}"
        if difference.verdict == "unknown":
            found.append(Case(name, skipped=f"Nothing can be said of {difference.metric}."))
        else:
            found.append(Case(name, failed=line if difference.verdict == "worse" else None))
    return found


_WRITE: Final = "Name a file that a load test of this version wrote with --json."


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "reports",
        type=Path,
        nargs="+",
        metavar="REPORT",
        help="a.json b.json: of the runs before and after, which run_multiple_tests.py and others "
        "write with --json. More pairs are pooled: a1.json b1.json a2.json b2.json",
    )
    parser.add_argument(
        "--metric",
        action="append",
        choices=METRICS,
        metavar="NAME",
        help=f"judge this figure and the failures instead of {' and '.join(JUDGED)} and the "
        f"failures: {', '.join(METRICS)}; may be repeated",
    )
    parser.add_argument(
        "--tolerance",
        type=share,
        default=TOLERANCE,
        metavar="SHARE",
        help=f"a change of at most this share of a does not matter (default: {TOLERANCE:.0%}); "
        "failures have no tolerance".replace("%", "%%"),
    )
    parser.add_argument(
        "--late-ok", action="store_true", help="no exit status 4 if the client was the limit"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="draw both runs on one page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the comparison as JSON")
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="write the verdict as JUnit XML for a pipeline"
    )
    return parser


def share(text: str) -> float:
    """An option type: a percentage such as 2%, as a share. Raises `ArgumentTypeError`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage such as 2%")
    return float(found[1]) / 100


def _write(  # noqa: PLR0913, PLR0917
    options: argparse.Namespace,
    found: Comparison,
    reports: Sequence[Report],
    blocks: Sequence[Blocks],
    notes: Sequence[str],
    status: int,
) -> None:
    sentence = compare_text.sentence(found)
    try:
        if options.json:
            content = {
                "sentence": sentence,
                "verdict": compare_text.verdict(found),
                "status": status,
                "warnings": list(notes),
                "a": [_about(report) for report in reports[::2]],
                "b": [_about(report) for report in reports[1::2]],
                **found.as_dict(),
            }
            options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if options.html:
            from local.loadtest.report.compare_html import write_html

            write_html(found, blocks, titles(reports), notes, options.html)
        if options.junit:
            write_junit(
                options.junit,
                "load tests compared",
                cases(found, reports, late_ok=options.late_ok),
                properties={"verdict": sentence, **dict(zip("ab", titles(reports), strict=True))},
                seconds=0,
                start=str(reports[1].summary.get("start", ""))[: len("2027-01-15T08:00:00")],
            )
    except OSError as error:
        raise unwritable(error) from None


def _about(report: Report) -> dict[str, Any]:
    kept = ("target", "description", "start", "command", "versions", "client_limit", "stopped")
    known = {key: report.summary[key] for key in kept if key in report.summary}
    return {"file": str(report.path), **known}
