"""What the load tests report, against a server whose latencies are known.

    python -m tests.measure.load_truth

The server follows Lindley's recursion for one server and for three, with constant, exponential and
bimodal service times, or freezes for 3 s in every 10. Each figure is the largest difference, of
mean, p50, p90 and p99, between the latency in the report and the one that follows from
the due times. The last one is the throughput of two waves. Exit status 0 if all targets are met, 1
if one is missed, 2 if a request fails.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest.percentiles import Percentiles, percentiles
from tests.measure.command import run_command
from tests.support.exact_server import Model, exact_server, true_latencies
from tests.support.paths import ROOT

NAMES: Final = ("mean", "p50", "p90", "p99")
"""Not the maximum: one late wake-up of the server changes it."""


@dataclass(frozen=True)
class Case:
    """A model, and the arguments of run_rate_test.py."""

    name: str
    model: Model
    arguments: tuple[object, ...]

    @property
    def target(self) -> Threshold:
        return Threshold(f"{self.name}: largest error", 5, "ms")


def _exponential(mean: float, count: int) -> list[float]:
    """Quantiles of the exponential distribution, in an order of chance."""
    quantiles = -mean * np.log(1 - (np.arange(count) + 0.5) / count)
    shuffled: list[float] = np.random.default_rng(5).permutation(quantiles).tolist()
    return shuffled


CASES: Final = [
    Case(
        "one server, 60 % busy",
        Model([0.015]),
        ("--rate", 40, "--for", 10, "--arrivals", "poisson"),
    ),
    Case(
        "three servers, 80 % busy",
        Model(_exponential(0.04, 500), servers=3),
        ("--rate", 60, "--for", 10, "--arrivals", "poisson"),
    ),
    Case(
        "bimodal service times",
        Model([*[0.005] * 11, 0.05]),  # no percentile is between two groups
        ("--rate", 50, "--for", 10, "--arrivals", "constant"),
    ),
    # No request is due at the moment at which the server freezes.
    Case("frozen 3 s in 10", Model([0.01], frozen=True), ("--rate", 19.5, "--for", 20)),
]

THROUGHPUT: Final = Threshold("throughput of two waves: error", 1, "%")
_WAVES: Final = (10, 1.0, 2)
"""N, T, R: 10 requests a second for two seconds."""


def error_ms(case: Case, folder: Path) -> float:
    """The largest difference between the report and the truth."""
    with exact_server(case.model) as url:
        report, rows = _measure("local/run_rate_test.py", *case.arguments, url=url, folder=folder)
    due = np.sort(np.array([float(row["due_s"]) for row in rows]))
    return largest_error(report["latency_ms"], percentiles(true_latencies(case.model, due)))


def largest_error(reported: dict[str, float], truth: Percentiles) -> float:
    """In milliseconds."""
    return max(abs(reported[name] - (getattr(truth, name) or 0.0)) for name in NAMES)


def throughput_error(folder: Path) -> float:
    """In percent."""
    parallel, period, repeat = _WAVES
    plan = ("-N", parallel, "-T", period, "-R", repeat)
    with exact_server(Model([0.001], servers=parallel)) as url:
        report, _ = _measure("local/run_multiple_tests.py", *plan, url=url, folder=folder)
    return abs(float(report["throughput_rps"]) / (parallel / period) - 1) * 100


def _measure(
    *command: object, url: str, folder: Path
) -> tuple[dict[str, Any], Sequence[dict[str, str]]]:
    """The report and the rows of a run. Raises `CalledProcessError` if a request fails."""
    report, table = folder / "report.json", folder / "report.csv"
    outputs = ("--url", url, "--late-ok", "--json", report, "--csv", table)
    subprocess.run(
        [sys.executable, *map(str, (*command, *outputs))],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    with table.open(newline="") as file:
        return json.loads(report.read_text()), list(csv.DictReader(file))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.load_truth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_verdict_options(parser)
    options = parser.parse_args()
    targets = [*(case.target for case in CASES), THROUGHPUT]
    with tempfile.TemporaryDirectory() as name:

        def measure() -> Figures:
            figures = {case.target.name: error_ms(case, Path(name)) for case in CASES}
            return {**figures, THROUGHPUT.name: throughput_error(Path(name))}

        return judge(measure, targets, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    sys.exit(run_command(main))
