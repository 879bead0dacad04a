"""Measurements with a verdict: figures beside their targets, repeated before they are judged."""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from local.bench.machine import facts

GROSS: Final = 2.0
"""With --gross, the factor by which every repetition has to miss a target."""

Figures = Mapping[str, float]
"""Values by the names of their targets."""


@dataclass(frozen=True)
class Target:
    """The limit of the figure `name`; `unit` is printed after both."""

    name: str
    limit: float
    unit: str = ""
    at_least: bool = False

    def is_met(self, value: float, slack: float = 1.0) -> bool:
        """Whether `value` misses the limit by no more than the factor `slack`."""
        if self.at_least:
            return value >= self.limit / slack
        return value <= self.limit * slack

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}".rstrip()


def add_verdict_options(parser: argparse.ArgumentParser, repetitions: int = 3) -> None:
    parser.add_argument(
        "--repeat",
        type=int,
        default=repetitions,
        metavar="N",
        help="repetitions; their medians are judged (default: %(default)s)",
    )
    parser.add_argument(
        "--gross",
        action="store_true",
        help=f"fail only if every repetition misses a target by a factor of {GROSS:g}; "
        "stop at the first that does not",
    )


def judge(
    measure: Callable[[], Figures], targets: Sequence[Target], *, repeat: int, gross: bool
) -> int:
    """Call `measure` up to `repeat` times and print a table. Returns the exit status: 1 if a
    target was missed, else 0."""
    print(machine(), flush=True)
    rounds: list[Figures] = []
    for number in range(1, repeat + 1):
        if sys.stderr.isatty():
            print(f"repetition {number} of {repeat}", file=sys.stderr, flush=True)
        rounds.append(measure())
        if gross and all(each.is_met(rounds[-1][each.name], GROSS) for each in targets):
            break
    missed = [each for each in targets if not _passes(each, rounds, gross)]
    print(table(rounds, targets, missed, gross))
    return 1 if missed else 0


def machine() -> str:
    """The machine and the date, in one line."""
    told = facts()
    here = told["machine"]
    return (
        f"{told['date']}, {here['cores']} cores of {here['cpu']}, {here['system']}, "
        f"load {here['load']}"
    )


def table(
    rounds: Sequence[Figures], targets: Sequence[Target], missed: Sequence[Target], gross: bool
) -> str:
    """A line for each target: the median, its range over the repetitions, and the verdict."""
    rows: list[tuple[str, ...]] = [("figure", "median", "lowest", "highest", "target", "")]
    for each in targets:
        values = [figures[each.name] for figures in rounds]
        numbers = (statistics.median(values), min(values), max(values))
        rows.append(
            (each.name, *(f"{value:.4g}" for value in numbers), str(each), _word(each, missed))
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
    rule = f", a miss is {GROSS:g} times the target in each" if gross else ""
    return "\n".join([*lines, f"{counted}{rule}"])


def _passes(target: Target, rounds: Sequence[Figures], gross: bool) -> bool:
    values = [figures[target.name] for figures in rounds]
    if gross:
        return any(target.is_met(value, GROSS) for value in values)
    return target.is_met(statistics.median(values))


def _word(target: Target, missed: Sequence[Target]) -> str:
    return "missed" if target in missed else "met"
