"""Locust as users start it, and the tables that it writes."""

import csv
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.scripts import finish, start

WAVES = "locustfiles/waves.py"
PARALLEL = "locustfiles/parallel.py"
STEADY = "locustfiles/steady.py"

ANSWERED = (0, 4)
FAILED = (1, 4)
"""The statuses of a run: 4 if the machine was too busy for Locust to send in time."""


class Table(NamedTuple):
    """A row of Locust's `_stats.csv`; response times in milliseconds."""

    requests: int
    failures: int
    rps: float
    smallest: float
    p50: float
    p99: float
    largest: float


def processes(count: int) -> tuple[object, ...]:
    """The options for `count` workers, on a port of their own."""
    port = free_port()
    return ("--processes", count, "--master-bind-port", port, "--master-port", port)


def locust(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return finish(start("-m", "locust", *arguments, cwd=cwd))


def table(prefix: Path) -> Table:
    """The row of all requests, without that of their lateness."""
    return row_of(prefix, "Aggregated")


def lateness(prefix: Path) -> Table:
    return row_of(prefix, "lateness")


def row_of(prefix: Path, name: str) -> Table:
    with Path(f"{prefix}_stats.csv").open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["Name"] == name]
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
