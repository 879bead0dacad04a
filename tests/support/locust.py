"""Locust as users start it, and the tables that it writes."""

import csv
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT
from tests.support.scripts import finish, start

WAVES = "locustfiles/waves.py"
PARALLEL = "locustfiles/parallel.py"


class Table(NamedTuple):
    """The row of all requests in Locust's `_stats.csv`; response times in milliseconds."""

    requests: int
    failures: int
    rps: float
    smallest: float
    p50: float
    p99: float
    largest: float


def locust(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return finish(start("-m", "locust", *arguments, cwd=cwd))


def table(prefix: Path) -> Table:
    with Path(f"{prefix}_stats.csv").open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    return Table(
        int(row["Request Count"]),
        int(row["Failure Count"]),
        float(row["Requests/s"]),
        float(row["Min Response Time"]),
        float(row["50%"]),
        float(row["99%"]),
        float(row["Max Response Time"]),
    )


def failures(prefix: Path) -> dict[str, int]:
    with Path(f"{prefix}_failures.csv").open(newline="") as file:
        return {row["Error"]: int(row["Occurrences"]) for row in csv.DictReader(file)}
