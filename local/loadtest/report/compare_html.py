"""Two runs in one self-contained HTML page."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator

from local.loadtest.blocks import Blocks, edges_ms
from local.loadtest.comparison import FAILURES, Comparison, Difference, quantiles
from local.loadtest.report import compare_text as text
from local.loadtest.report.page import both_widths, fill
from local.loadtest.report.plots import BLUE, GREY, LIGHT, RED, STYLE, WIDE, figure, svg
from local.loadtest.schedule import Seconds

_COLORS: Final = (GREY, BLUE)
_MOST_POINTS: Final = 60
"""Of a line over time. More would be noise: p99 of a few requests is their maximum."""
_GREEN: Final = "#15803d"


def write_html(
    comparison: Comparison,
    blocks: Sequence[Blocks],
    titles: Sequence[str],
    warnings: Sequence[str],
    path: Path,
) -> None:
    """Write the page. blocks, titles: of a and b. Raises `OSError`."""
    runs = zip("ab", titles, strict=True)
    content = fill(
        "compare.html",
        verdict=escape(text.verdict(comparison)),
        sentence=escape(text.sentence(comparison)),
        warnings="".join(f'<p class="warning">{escape(line)}</p>' for line in warnings),
        runs="".join(
            f'<dt class="{run}">{run}</dt><dd>{escape(title)}</dd>' for run, title in runs
        ),
        interval=escape(text.level(comparison)),
        rows="".join(_row(difference) for difference in comparison.differences),
        rule=escape(text.rule(comparison)),
        differences=_differences(comparison),
        distribution=both_widths(
            "Cumulative distributions of latency", lambda width: distribution_plot(blocks, width)
        ),
        timeline=both_widths("Latency over time", lambda width: timeline_plot(blocks, width)),
    )
    path.write_text(content, encoding="utf-8")


def distribution_plot(blocks: Sequence[Blocks], width: float = WIDE) -> str:
    """Cumulative distributions of latency of a and b."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width)
        for run, color, label in zip(blocks, _COLORS, "ab", strict=True):
            counts = run.histograms.sum(axis=0)
            if counts.any():
                shares = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
                edges = edges_ms(run.first_bin, len(counts))
                shown = int(np.searchsorted(shares, 0.999)) + 1
                axes.plot(edges[:shown], shares[:shown], color=color, linewidth=2, label=label)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1.02)
        axes.set_yticks(
            [0, 0.25, 0.5, 0.75, 0.9, 1], ["0 %", "25 %", "50 %", "75 %", "90 %", "100 %"]
        )
        axes.set_xlabel("latency, ms")
        axes.legend(loc="lower right")
        return svg(made)


def timeline_plot(blocks: Sequence[Blocks], width: float = WIDE) -> str:
    """p50 and p99 of a and b over time."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width)
        for run, color, label in zip(blocks, _COLORS, "ab", strict=True):
            times, parts = _points(run)
            for share, line, name in ((0.99, "--", "p99"), (0.5, "-", "p50")):
                values = quantiles(run, parts, share)
                axes.plot(
                    times, values, line, color=color, linewidth=1.8, label=f"{name} of {label}"
                )
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("due time, s")
        axes.set_ylabel("latency, ms")
        made.legend(loc="outside upper left", ncols=2 if width < WIDE else 4)
        return svg(made)


def interval_plot(comparison: Comparison, width: float = WIDE) -> str:
    """The difference of each figure with its interval, and the tolerance as a band."""
    shown = [
        difference
        for difference in comparison.differences
        if difference.low is not None and difference.metric != FAILURES
    ]
    with mpl.rc_context(STYLE):
        made, axes = figure(1.0 + 0.36 * len(shown), width=width)
        allowed = 100 * comparison.tolerance
        axes.axvspan(-allowed, allowed, color=LIGHT, alpha=0.5, linewidth=0, label="tolerance")
        axes.axvline(0, color=GREY, linewidth=1)
        for row, difference in enumerate(shown):
            assert difference.low is not None
            assert difference.high is not None
            assert difference.change is not None
            color = {"worse": RED, "better": _GREEN}.get(difference.verdict, "black")
            size = 8 if difference.judged else 5
            axes.plot(
                [100 * difference.low, 100 * difference.high], [row, row], color=color, linewidth=2
            )
            axes.plot(100 * difference.change, row, "o", color=color, markersize=size)
        axes.set_yticks(
            range(len(shown)), [text.name(found.metric).partition(",")[0] for found in shown]
        )
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(5 if width < WIDE else 9))
        axes.set_xlabel("difference of b from a, %")
        return svg(made)


def _points(run: Blocks) -> tuple[Seconds, Seconds]:
    """Times, and the blocks that belong to each as rows of weights, shape [times, blocks]."""
    count = len(run)
    number = min(count, _MOST_POINTS)
    part = np.arange(count) * number // max(1, count)
    ends = np.cumsum(run.seconds)
    weights = (np.arange(number)[:, None] == part).astype(np.float64)
    starts = ends - run.seconds
    first = np.searchsorted(part, np.arange(number))
    return starts[first], weights


def _differences(comparison: Comparison) -> str:
    if not comparison.is_possible:
        return ""
    plot = both_widths(
        "Differences with their intervals", lambda width: interval_plot(comparison, width)
    )
    note = (
        "Dots are the differences, lines their intervals, the band the tolerance. Large dots are "
        "judged; failures are in the table only."
    )
    return f"<section><h2>Differences</h2><p>{note}</p>{plot}</section>"


def _row(difference: Difference) -> str:
    word = text.word(difference)
    note = f'<small class="{word.replace(" ", "-")}">{word}</small>' if word else ""
    interval = text.interval(difference)
    cells = (
        f"{escape(text.name(difference.metric))}{note}",
        text.value(difference.metric, difference.a),
        text.value(difference.metric, difference.b),
        text.change(difference) + (f"<small>{interval}</small>" if interval else ""),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
