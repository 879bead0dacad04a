"""Measurements with targets: repeat, take medians, compare, print a verdict."""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from local.common.cli import whole_number
from local.common.machine import when_and_where

GROSS: Final = 2.0
"""With --gross, a target fails only if every repetition misses it by this factor."""

GROSS_RUNS: Final = 3
"""The most runs, with --gross, of a measurement that otherwise runs once."""

Figures = Mapping[str, float]
"""Values by target name."""


@dataclass(frozen=True)
class Threshold:
    """The limit of the figure `name`; `unit` is printed after both."""

    name: str
    limit: float
    unit: str = ""
    at_least: bool = False
    every: bool = False
    """Compare the worst repetition, not the median: a single failure counts."""

    def of(self, values: Sequence[float]) -> float:
        """The value to compare: the median of `values`, or the worst."""
        if self.every:
            return min(values) if self.at_least else max(values)
        return statistics.median(values)

    def is_met(self, value: float, slack: float = 1.0) -> bool:
        """Whether `value` misses the limit by at most the factor `slack`."""
        if self.at_least:
            return value >= self.limit / slack
        return value <= self.limit * slack

    def __str__(self) -> str:
        limit = f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}".rstrip()
        return f"{limit}, each" if self.every else limit


def add_verdict_options(parser: argparse.ArgumentParser, repetitions: int = 3) -> None:
    parser.add_argument(
        "--repeat",
        type=whole_number(),
        default=repetitions,
        metavar="N",
        help="repetitions, of which medians are compared (default: %(default)s)",
    )
    add_gross_option(parser)


def add_gross_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gross",
        action="store_true",
        help=f"fail only if every repetition misses a target by a factor of {GROSS:g}; "
        "stop at the first that does not",
    )


def judge(
    measure: Callable[[], Figures],
    targets: Sequence[Threshold],
    *,
    repeat: int | None = None,
    gross: bool,
) -> int:
    """Call `measure` up to `repeat` times and print a table. Returns the exit status: 1 if a target
    was missed, else 0.

    repeat: default: once, with `gross` up to `GROSS_RUNS` times.
    """
    if repeat is None:
        repeat = GROSS_RUNS if gross else 1
    print(machine(), flush=True)
    rounds: list[Figures] = []
    for number in range(1, repeat + 1):
        if sys.stderr.isatty():
            print(f"repetition {number} of {repeat}", file=sys.stderr, flush=True)
        rounds.append(measure())
        if gross and all_met_grossly(rounds[-1], targets):
            break
    return conclude(rounds, targets, gross=gross)


def all_met_grossly(figures: Figures, targets: Sequence[Threshold]) -> bool:
    """Whether every figure meets its target within the factor `GROSS`."""
    return all(target.is_met(figures[target.name], GROSS) for target in targets)


def conclude(rounds: Sequence[Figures], targets: Sequence[Threshold], *, gross: bool) -> int:
    """Print the table of `rounds`; each round needs a figure for every target. Returns the exit
    status: 1 if a target was missed, else 0."""
    missed = [target for target in targets if not _passes(target, rounds, gross)]
    print(table(rounds, targets, missed, gross))
    return 1 if missed else 0


def machine() -> str:
    """Machine and date in one line."""
    measured = when_and_where()
    where = measured["machine"]
    return (
        f"{measured['date']}, {where['cores']} cores of {where['cpu']}, {where['system']}, "
        f"load {where['load']}"
    )


def table(
    rounds: Sequence[Figures],
    targets: Sequence[Threshold],
    missed: Sequence[Threshold],
    gross: bool,
) -> str:
    """A line for each target: median, range over the repetitions, and verdict."""
    rows: list[tuple[str, ...]] = [("figure", "median", "lowest", "highest", "target", "")]
    for target in targets:
        values = [figures[target.name] for figures in rounds]
        numbers = (statistics.median(values), min(values), max(values))
        rows.append(
            (
                target.name,
                *(f"{value:.4g}" for value in numbers),
                str(target),
                _word(target, missed),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    counted = f"{len(rounds)} repetition{'s' if len(rounds) > 1 else ''}"
    rule = f"; missed means by a factor of {GROSS:g} in every repetition" if gross else ""
    return "\n".join([*lines, f"{counted}{rule}"])


def _passes(target: Threshold, rounds: Sequence[Figures], gross: bool) -> bool:
    values = [figures[target.name] for figures in rounds]
    if gross:
        return any(target.is_met(value, GROSS) for value in values)
    return target.is_met(target.of(values))


def _word(target: Threshold, missed: Sequence[Threshold]) -> str:
    return "missed" if target in missed else "met"
