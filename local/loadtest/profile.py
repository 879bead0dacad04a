"""A rate profile from a CSV file."""

import csv
import math
from pathlib import Path

import numpy as np

from local.common.cli import UsageError
from local.loadtest.schedule import RateProfile

_COLUMNS = ["seconds", "rate"]


def read_profile(path: Path) -> RateProfile:
    """The profile in a CSV file with the columns `seconds` and `rate` (requests per second), with
    or without a header. The rate changes in straight lines between the rows; two rows with the
    same time are a step. Raises `UsageError` with the number of the line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _profile_of(path, [(line, row) for line, row in enumerate(csv.reader(file), 1)])
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except (UnicodeError, csv.Error):
        raise UsageError(
            f"{str(path)!r} is not a CSV file. Use the columns seconds,rate."
        ) from None


def _profile_of(path: Path, rows: list[tuple[int, list[str]]]) -> RateProfile:
    rows = [(line, [cell.strip() for cell in row]) for line, row in rows if any(row)]
    if rows and [cell.lower() for cell in rows[0][1]] == _COLUMNS:
        del rows[0]
    points: list[tuple[float, float]] = []
    for line, row in rows:
        problem = _problem(row, points)
        if problem:
            raise UsageError(f"{str(path)!r}, line {line}: {problem}")
        points.append((float(row[0]), float(row[1])))
    if len(points) < 2:
        raise UsageError(f"{str(path)!r} must have two rows or more, with seconds,rate.")
    times, rates = np.array(points, np.float64).T
    try:
        return RateProfile(times, rates)
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error}") from None


def _problem(row: list[str], before: list[tuple[float, float]]) -> str | None:
    """A sentence about a wrong row, with what it should be; None if it is right."""
    shown = ",".join(row)
    try:
        seconds, rate = map(float, row)
    except ValueError:
        return f"{shown!r} is not two numbers, seconds,rate."
    if not (math.isfinite(seconds) and math.isfinite(rate) and rate >= 0):
        return f"{shown!r} must be two numbers of 0 or more, seconds,rate."
    if not before and seconds != 0:
        return f"the first time must be 0; it is {seconds:g}."
    if before and seconds < before[-1][0]:
        return f"the times must ascend; {seconds:g} comes after {before[-1][0]:g}."
    return None
