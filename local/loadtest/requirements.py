"""Requirements that the figures of a run must meet, such as `--require "p99<250"`."""

import argparse
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, Overflow
from pathlib import Path
from typing import Final

from local.common.cli import UsageError

Figures = Mapping[str, float | None]
"""The figures of a run by name; None: not measured. `run_figures` makes them."""

STATISTICS: Final = ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")
"""Of latency; with the prefix `service_` or `lateness_` of those. In milliseconds."""

PREFIXES: Final = ("", "service_", "lateness_")

FAILURES: Final = "failures"
"""Failed requests as a share of the requests, from 0 to 1."""

FAILED: Final = "failed"
"""The number of failed requests."""

RATE: Final = "rate"
"""Throughput: answered requests per second."""

DURATIONS: Final = frozenset(prefix + name for prefix in PREFIXES for name in STATISTICS)

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SCALES: Final = {"%": Decimal("0.01"), "s": Decimal(1000)}
"""From the unit of a limit to that of its figure; decimal, because 0.7 * 0.01 is below 7 / 1000."""
_SUFFIXES: Final = {FAILURES: "", RATE: "/s"}
_FORM: Final = re.compile(
    r"\s*(?P<name>[a-z_0-9.]+)\s*(?P<operator><=|>=|<|>)\s*(?P<limit>[0-9.]+(?:e-?[0-9]+)?)"
    r"\s*(?P<unit>%|ms|s|/s)?\s*",
    re.IGNORECASE,
)
_NAMES: Final = (
    f"{', '.join(STATISTICS)} (latency in ms; with service_ or lateness_ before them, of those), "
    f"{FAILURES} (a number, or a share with %) and {RATE} (responses/s)"
)


@dataclass(frozen=True)
class Requirement:
    """`name operator limit`. Limits of durations are in milliseconds, a limit of failures is a
    number of requests or, with `is_share`, a share from 0 to 1."""

    text: str
    """As it was given, without spaces."""
    name: str
    operator: str
    limit: float
    is_share: bool = False

    @property
    def figure(self) -> str:
        """The name of the figure that is compared."""
        return FAILED if self.name == FAILURES and not self.is_share else self.name

    @property
    def is_about_failures(self) -> bool:
        return self.name == FAILURES

    def is_met(self, figures: Figures) -> bool:
        """A figure that was not measured meets no requirement."""
        value = _measured(figures, self.figure)
        return value is not None and _COMPARE[self.operator](value, self.limit)

    def measured(self, figures: Figures) -> str:
        """What was measured, with its unit, such as "it was 312.4 ms"."""
        value = _measured(figures, self.figure)
        if value is None:
            return "it was not measured, because no request was answered"
        return f"it was {_closely(value, self)}"

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Requirement:
    """The requirement that `text` states, such as `p99<250`, `failures<0.1%` or `rate>=45`. Units
    may follow: ms or s after a duration, /s after a rate. Raises `UsageError`."""
    found = _FORM.fullmatch(text)
    name = found["name"].lower() if found else ""
    if found is None or (name not in DURATIONS and name not in (FAILURES, RATE)):
        raise UsageError(
            f"{text!r} is not a requirement. Write a name, one of < <= > >= and a number, such as "
            f"'p99<250'. Names are {_NAMES}."
        )
    unit = (found["unit"] or "").lower()
    return Requirement(
        "".join(text.split()),
        name,
        found["operator"],
        _limit(text, name, found["limit"], unit),
        is_share=unit == "%",
    )


def broken(requirements: Sequence[Requirement], figures: Figures) -> list[str]:
    """A line for each requirement that `figures` do not meet, with the measured value."""
    return [
        f"{requirement}: {requirement.measured(figures)}"
        for requirement in requirements
        if not requirement.is_met(figures)
    ]


def run_figures(  # noqa: PLR0913
    latency_ms: Mapping[str, float | None],
    service_ms: Mapping[str, float | None],
    lateness_ms: Mapping[str, float | None],
    *,
    requests: int,
    failed: int,
    rate: float | None,
) -> dict[str, float | None]:
    """The figures of a run under the names that requirements use. The first three map `STATISTICS`,
    of which p99.9 may be spelled p99_9, to milliseconds."""
    figures: dict[str, float | None] = {
        prefix + name.replace("_", "."): value
        for prefix, statistics in zip(PREFIXES, (latency_ms, service_ms, lateness_ms), strict=True)
        for name, value in statistics.items()
    }
    figures[FAILED] = failed if requests else None
    figures[FAILURES] = failed / requests if requests else None
    figures[RATE] = rate
    return figures


def add_requirement_options(parser: argparse.ArgumentParser) -> None:
    """Adds --require (a list of `Requirement`) and --junit."""
    verdict = parser.add_argument_group("verdict")
    verdict.add_argument(
        "--require",
        type=parse,
        action="append",
        default=[],
        metavar="RULE",
        help="end with status 3 unless the run meets it: 'p99<250' (ms; min, mean, p50, p90, p95, "
        "p99, p99.9 or max of latency, or of service_… or lateness_…), 'failures<0.1%%', "
        "'failures<5', 'rate>=45' (responses/s); may be repeated",
    )
    verdict.add_argument(
        "--junit", type=Path, metavar="FILE", help="write the verdict as JUnit XML for a pipeline"
    )


def _limit(text: str, name: str, number: str, unit: str) -> float:
    """The limit in the unit of the figure. Raises `UsageError`."""
    units = {FAILURES: ("", "%"), RATE: ("", "/s")}.get(name, ("", "ms", "s"))
    if unit not in units:
        named = " or ".join(unit for unit in units if unit)
        raise UsageError(f"{text!r}: {unit} is not a unit of {name}. Use {named}, or no unit.")
    try:
        limit = float(Decimal(number) * _SCALES.get(unit, 1))
    except Overflow:
        limit = math.inf
    except InvalidOperation:
        raise UsageError(f"{text!r}: {number} is not a number.") from None
    if not math.isfinite(limit):
        raise UsageError(f"{text!r}: {number} is too large.")
    if name == FAILURES and not unit and not limit.is_integer():
        share = text.replace(number, f"{100 * limit:g}%").strip()
        raise UsageError(f"{text!r}: a number of failures is whole. For a share write {share!r}.")
    return limit


def _measured(figures: Figures, name: str) -> float | None:
    value = figures.get(name)
    return None if value is None or math.isnan(value) else value


def _closely(value: float, requirement: Requirement) -> str:
    """`value` with its unit, and enough digits to differ from the limit."""
    scale, unit = (
        (100.0, " %") if requirement.is_share else (1.0, _SUFFIXES.get(requirement.name, " ms"))
    )
    shown, limit = value * scale, requirement.limit * scale
    digits = 0 if requirement.figure == FAILED else 1
    while digits < 6 and shown != limit and round(shown, digits) == round(limit, digits):
        digits += 1
    return f"{shown:,.{digits}f}{unit}"
