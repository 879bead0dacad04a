"""The capacity that capacity.py finds, beside the truth, on servers with exact delays.

    python -m tests.measure.capacity_truth            five searches of each server: 15 minutes
    python -m tests.measure.capacity_truth --quick    one, of the first server, in a minute

Exit status 0 if every search is within 5 % of the truth after at most 120 s, 1 if one is not. Other
work on the machine makes requests late: the client may then be the limit, and the search has no
result.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.common.cli import print_progress
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from tests.measure.command import run_command
from tests.support.capacities import MODELS, capacity
from tests.support.exact_server import exact_server
from tests.support.paths import ROOT

SCRIPT: Final = "local/capacity.py"
LIMIT_MS: Final = 1000
"""Above the service times, so that the growth of the queue decides."""

SEARCHES: Final = 5
MOST_ERROR: Final = 5.0
MOST_SECONDS: Final = 120.0
NO_RESULT: Final = 100.0
"""The error, in percent, of a search that finds nothing, or only a lower bound."""


def targets(names: Sequence[str]) -> list[Threshold]:
    """Error and duration for the models of these names."""
    return [
        target
        for name in names
        for target in (
            Threshold(_error(name), MOST_ERROR, "%", every=True),
            Threshold(_seconds(name), MOST_SECONDS, "s", every=True),
        )
    ]


def _error(name: str) -> str:
    return f"{name}: error"


def _seconds(name: str) -> str:
    return f"{name}: time"


def search(name: str) -> Figures:
    """Search the capacity of one model."""
    model = MODELS[name]
    truth = capacity(model)
    with exact_server(model) as url, tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "capacity.json"
        command = (SCRIPT, "--url", url, "--limit", str(LIMIT_MS), "--json", str(report))
        started = time.monotonic()
        subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        taken = time.monotonic() - started
        found = json.loads(report.read_text())
    error = NO_RESULT
    if found["status"] == "found":
        error = 100 * abs(found["sustainable_rps"] / truth - 1)
    print_progress(
        f"{name}: {found['status']}, {found['sustainable_rps']} requests/s, truth {truth:.1f}, "
        f"{taken:.0f} s"
    )
    return {_error(name): error, _seconds(name): taken}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.capacity_truth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="only the first server, once")
    add_verdict_options(parser, repetitions=SEARCHES)
    options = parser.parse_args()
    names = list(MODELS)[:1] if options.quick else list(MODELS)

    def measure() -> Figures:
        return {figure: value for name in names for figure, value in search(name).items()}

    # With --gross, the first repetition that is good enough is the last.
    repeat = 1 if options.quick and not options.gross else options.repeat
    return judge(measure, targets(names), repeat=repeat, gross=options.gross)


if __name__ == "__main__":
    sys.exit(run_command(main))
