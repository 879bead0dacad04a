"""Reports of a large load test: python -m tests.measure.load_reports

A process reads the records of a million requests in 100,000 waves, with eight kinds of failures and
a server that stops for 30 s, from a file, and writes all reports. Its CPU time (which other
processes change less than the time on the clock; all of it is in one thread), its peak memory with
all libraries and the records themselves, and the size of the HTML page are compared with targets.

examples:
  python -m tests.measure.load_reports
  python -m tests.measure.load_reports --quick --gross     the short form of continuous integration

exit status: 0 all targets met, 1 a target missed, 2 invalid command
"""

import argparse
import contextlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from local.common.cli import OneLineParser, main
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest import reporting
from local.loadtest.report import data
from local.loadtest.run import ANSWERED, IN_FLIGHT, Run
from local.loadtest.schedule import WavePlan
from tests.support.paths import ROOT
from tests.support.runs import add_stages, make_run

PARALLEL: Final = 10
PERIOD: Final = 0.01
REPEAT: Final = 100_000
QUICK_REPEAT: Final = 10_000

KINDS: Final = ("timeout", "reset", "refused", "status 503", "status 500", "no predictions",
                "truncated response", "closed without a response")  # fmt: skip

SECONDS: Final = Threshold("text, JSON and HTML: CPU", 5, "s")
CSV_SECONDS: Final = Threshold("CSV: CPU", 20, "s")
MEMORY: Final = Threshold("peak memory", 300, "MB")
HTML: Final = Threshold("HTML", 1000, "kB")
JSON: Final = Threshold("JSON", 500, "kB")
LINES: Final = Threshold("lines of text", 100)

# On an AMD EPYC: 3 s, 9 s, 240 MB, 490 kB, 35 kB and 84 lines.
TARGETS: Final = (SECONDS, CSV_SECONDS, MEMORY, HTML, JSON, LINES)


def measure(repeat: int, folder: Path) -> Figures:
    """Each step has its own process: its peak must not count the memory of another."""
    for step in ("make", "report"):
        command = (sys.executable, "-m", "tests.measure.load_reports", "--repeat", "1")
        done = subprocess.run(
            [*command, "--step", step, "--waves", str(repeat), "--folder", folder],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def make(repeat: int, folder: Path) -> None:
    """Write the records of a run."""
    random = np.random.default_rng(1)
    schedule = WavePlan(PARALLEL, PERIOD, repeat).schedule()
    requests = schedule.requests
    seconds = random.lognormal(np.log(0.03), 0.5, requests)
    stop = slice(requests // 3, requests // 3 + min(30_000, requests // 10))
    seconds[stop] += np.linspace(30, 0, len(seconds[stop]))
    run = make_run(schedule, seconds, lateness=random.exponential(0.0004, requests))
    add_stages(run, connecting=0.0002, sending=0.0004, queue=0.01, decode=0.003, infer=0.008)
    failed = random.random(requests) < 0.07
    run.records["failure"][failed] = random.integers(2, 2 + len(KINDS), int(failed.sum()))
    run.records["id"] = [f"{number:016x}" for number in range(requests)]
    np.save(folder / "records.npy", run.records)


def report(repeat: int, folder: Path) -> Figures:
    """Read the records and write all reports. Returns the figures of this process."""
    run = Run(
        target="http://localhost:8000/",
        schedule=WavePlan(PARALLEL, PERIOD, repeat).schedule(),
        connections="new",
        records=np.load(folder / "records.npy"),
        kinds=[ANSWERED, IN_FLIGHT, *KINDS],
    )
    started = time.process_time()
    parser = argparse.ArgumentParser()
    reporting.add_report_options(parser)
    files = ["--json", str(folder / "report.json"), "--html", str(folder / "report.html")]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        reporting.report(parser.parse_args(files), run)
    reported = time.process_time()
    data.write_csv(run, folder / "report.csv")
    written = time.process_time()
    page = (folder / "report.html").read_text()
    assert all(kind in page for kind in KINDS), "a kind of failure is missing"
    return {
        SECONDS.name: reported - started,
        CSV_SECONDS.name: written - reported,
        MEMORY.name: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        HTML.name: (folder / "report.html").stat().st_size / 1e3,
        JSON.name: (folder / "report.json").stat().st_size / 1e3,
        LINES.name: printed.getvalue().count("\n"),
    }


def command(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.measure.load_reports",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_verdict_options(parser)
    parser.add_argument(
        "--quick", action="store_true", help=f"{PARALLEL * QUICK_REPEAT:,} requests"
    )
    for hidden in ("--step", "--waves", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        return _step(options.step, int(options.waves), Path(options.folder))
    repeat = QUICK_REPEAT if options.quick else REPEAT
    with tempfile.TemporaryDirectory() as folder:
        return judge(
            lambda: measure(repeat, Path(folder)),
            TARGETS,
            repeat=options.repeat,
            gross=options.gross,
        )


def _step(step: str, repeat: int, folder: Path) -> int:
    if step == "make":
        make(repeat, folder)
    else:
        print(json.dumps(report(repeat, folder)))
    return 0


if __name__ == "__main__":
    main(command)
