"""A table of forecasts, by memory size or by provisioned concurrency."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Final

from local.common.markdown import aligned_table
from local.loadtest.requirements import Requirement, broken, run_figures
from local.simulation.prediction import Prediction, statistics_ms
from local.simulation.report import WIDTH, function_line, head, month_assumption
from local.simulation.sizes import MEASURED

SIZES_NOTE: Final = (
    "Durations that were not measured with a size are scaled by its share of the CPU (1 vCPU at "
    "1,769 MB; nothing faster above), and are the same on both architectures unless measured on "
    "each: give --measured once for each size and architecture."
)


@dataclass(frozen=True)
class Row:
    prediction: Prediction
    source: str
    """Where its durations are from: see `Sized.source`."""


def sizes_table(rows: Sequence[Row], target: Requirement | None) -> str:
    """A row for each memory size and architecture, ending in a newline. At least one row."""
    header = ["memory MB", "vCPU", "architecture", "durations of", *_header(target)]
    cells = [
        [
            f"{row.prediction.function.memory_mb:,}",
            f"{row.prediction.function.vcpu:.2f}",
            row.prediction.function.architecture,
            "itself" if row.source == MEASURED else row.source,
            *_figures(row, target),
        ]
        for row in rows
    ]
    return _page(head(rows[0].prediction), aligned_table(header, cells), rows, SIZES_NOTE)


def provisioned_table(rows: Sequence[Row], target: Requirement | None) -> str:
    """A row for each number of provisioned environments, ending in a newline. At least one row."""
    header = ["provisioned", *_header(target)]
    cells = [[f"{row.prediction.limits.provisioned:,}", *_figures(row, target)] for row in rows]
    first = rows[0].prediction
    top = f"{head(first)}\n{function_line(first.function)}"
    return _page(top, aligned_table(header, cells), rows)


def meets(row: Row, target: Requirement) -> bool:
    return target.is_met(_run_figures(row))


def cheapest(rows: Sequence[Row], target: Requirement) -> Row | None:
    """The row that meets the target and costs least, in a month if the plan has a rate; of several,
    the first."""
    return min((row for row in rows if meets(row, target)), key=_usd, default=None)


def verdict(rows: Sequence[Row], target: Requirement, best: Row | None) -> str:
    """A line on the target, for one forecast or a table."""
    if len(rows) == 1:
        return (
            f"Target {target} met"
            if best
            else f"Target not met: {broken([target], _run_figures(rows[0]))[0]}"
        )
    if best is None:
        return f"Target not met: no row has {target}."
    function, throttled = best.prediction.function, best.prediction.throttled
    usd = f"{_usd(best):,.2f} USD a month" if best.prediction.month else f"{_usd(best):,.6f} USD"
    return (
        f"The cheapest with {target}: {function.memory_mb:,} MB, {function.architecture}, "
        f"{function.provisioned:,} provisioned, {usd}"
        # Throttled requests cost nothing and have no latency.
        + (f"; but it throttles {throttled / best.prediction.requests:.1%}" if throttled else "")
    )


def _header(target: Requirement | None) -> list[str]:
    figures = ["p50 ms", "p99 ms", "cold starts", "throttled", "USD per million", "USD per month"]
    return [*figures, *([str(target)] if target else [])]


def _figures(row: Row, target: Requirement | None) -> list[str]:
    prediction = row.prediction
    latency = statistics_ms(prediction.result.latencies)
    return [
        _number(latency["p50"], 1),
        _number(latency["p99"], 1),
        f"{prediction.cold_starts:,}",
        f"{prediction.throttled:,}",
        _number((prediction.month or prediction).usd_a_million, 2),
        _number(prediction.month.usd if prediction.month else None, 2),
        *(["yes" if meets(row, target) else "no"] if target else []),
    ]


def _page(top: str, table: str, rows: Sequence[Row], *notes: str) -> str:
    texts = [fill(note, WIDTH) for note in (*notes, month_assumption(rows[0].prediction))]
    return "\n\n".join([top, table, *texts]) + "\n"


def _run_figures(row: Row) -> dict[str, float | None]:
    prediction = row.prediction
    latency = statistics_ms(prediction.result.latencies)
    rate, failed = prediction.throughput_rps, prediction.throttled
    return run_figures(latency, {}, {}, requests=prediction.requests, failed=failed, rate=rate)


def _usd(row: Row) -> float:
    prediction = row.prediction
    return prediction.month.usd if prediction.month else prediction.bill.total


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
