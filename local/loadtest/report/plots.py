"""Plots of a run as SVG, and the capacity plot.

Their size does not depend on the number of requests: above a few thousand, requests are counted in
cells of a grid.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from local.loadtest.concurrency import concurrency, concurrency_peaks
from local.loadtest.knee import Curve, Step
from local.loadtest.run import Run, latency, service
from local.loadtest.schedule import Seconds
from local.loadtest.stats import Summary, failures_by_kind

BLUE: Final = "#0b62a4"
GREY: Final = "#6b7280"
RED: Final = "#c2410c"
PURPLE: Final = "#7c3aed"
LIGHT: Final = "#93c5fd"

WIDE: Final = 9.0
"""Inches, for a column of about 900 pixels."""
NARROW: Final = 4.2
"""Inches, for a phone of 390 pixels: text in plots is then as large as that of the page."""

_MANY: Final = 2_000
"""More requests than this are shown as a density, not as dots."""
_COLUMNS: Final = 240
_ROWS: Final = 100
"""Cells of the density, and of the grid in which marks of failures are thinned out."""
_STEPS: Final = 600
"""Bins of the requests in flight."""
_DENSITY: Final = LinearSegmentedColormap.from_list("density", ["#bfdbfe", BLUE, "#082f49"])
_FAILURE_MARKS: Final = (("x", RED), ("+", "#be185d"), ("1", "#a16207"), ("2", "#15803d"))
"""Marker and colour of the most frequent kinds of failures; the last is for all others."""

STYLE: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d1d5db",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "load",
}


def figure(height: float = 3.6, width: float = WIDE) -> tuple[Figure, Axes]:
    """An empty figure; sizes in inches."""
    made = Figure(figsize=(width, height), layout="constrained")
    return made, made.add_subplot()


def svg(made: Figure) -> str:
    """The SVG element of a figure."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def latency_plot(run: Run, summary: Summary, width: float = WIDE) -> str:
    """Latency of requests by due time; if all are due at once, by index."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width)
        at_once = len(summary.parts) <= 1 and run.schedule.span is None
        x = run.records["request"] + 1.0 if at_once else run.records["due"]
        y = latency(run.records) * 1000
        failure = run.records["failure"]
        # The same limits for all: thinned marks lie on one grid.
        right, top = float(x.max(initial=0)) or 1.0, float(y.max(initial=0)) or 1.0
        _answered(axes, x[failure == 0], y[failure == 0], right, top)
        stopped = failure == 1
        _marks(axes, x[stopped], y[stopped], ("|", GREY), "in flight when stopped", right, top)
        for chosen, mark, label in _failures(run):
            _marks(axes, x[chosen], y[chosen], mark, label, right, top)
        if not at_once and len(summary.parts) > 1:
            _part_lines(axes, summary)
        axes.set_xlabel("index of the request" if at_once else "due time, s")
        axes.set_ylabel("latency, ms")
        axes.set_ylim(0, top * 1.05)
        axes.set_xlim(*_padded(0 if not at_once else 1, right))
        if axes.get_legend_handles_labels()[0]:
            made.legend(loc="outside upper left", ncols=1 if width < WIDE else 3)
        return svg(made)


def distribution_plot(run: Run, width: float = WIDE) -> str:
    """Cumulative distribution of latency and service time."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width)
        answered = run.records["failure"] == 0
        if answered.any():
            for seconds, color, line, label in (
                (service(run.records)[answered], LIGHT, 4, "service: from sending"),
                (latency(run.records)[answered], BLUE, 2, "latency: from due time"),
            ):
                values, shares = _ecdf(seconds * 1000)
                axes.plot(
                    values, shares, color=color, linewidth=line, label=label, drawstyle="steps-post"
                )
            axes.legend(loc="lower right")
            axes.set_xlim(left=0)
        axes.set_yticks(
            [0, 0.25, 0.5, 0.75, 0.9, 1], ["0 %", "25 %", "50 %", "75 %", "90 %", "100 %"]
        )
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("time, ms")
        axes.set_ylabel("answered requests")
        return svg(made)


def concurrency_plot(run: Run, width: float = WIDE) -> str:
    """Requests in flight over time; of a long run, the highest number in each of 600 bins."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width, height=2.8)
        times: Seconds
        if len(run.records) <= _STEPS:
            times, levels = concurrency(run.records)
        else:
            times = np.linspace(0, float(run.records["ended"].max()), _STEPS + 1)
            levels = np.append(concurrency_peaks(run.records, times), 0)
        axes.fill_between(times, levels, step="post", color=LIGHT, linewidth=0)
        axes.step(times, levels, where="post", color=BLUE, linewidth=1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("time since the start, s")
        axes.set_ylabel("requests in flight")
        return svg(made)


def _answered(axes: Axes, x: Seconds, y: Seconds, right: float, top: float) -> None:
    """Dots, or the density of many."""
    if len(x) <= _MANY:
        if len(x):
            axes.scatter(x, y, s=22, color=BLUE, alpha=0.6, linewidths=0, label="answered")
        return
    counts, columns, rows = np.histogram2d(
        x, y, bins=(_COLUMNS, _ROWS), range=((0, right), (0, top))
    )
    most = max(2.0, counts.max())
    image = axes.pcolormesh(
        columns,
        rows,
        np.ma.masked_equal(counts.T, 0),
        cmap=_DENSITY,
        norm=LogNorm(1, most),
        rasterized=True,
    )
    axes.figure.colorbar(image, ax=axes, label="answered requests", pad=0.01, aspect=30)


def _marks(  # noqa: PLR0913, PLR0917
    axes: Axes,
    x: Seconds,
    y: Seconds,
    mark: tuple[str, str],
    label: str,
    right: float,
    top: float,
) -> None:
    """A mark for each request; of many, one for each cell of the grid that has any."""
    if not len(x):
        return
    if len(x) > _MANY:
        cells = (x / right * _COLUMNS).astype(int) * (_ROWS + 1) + (y / top * _ROWS).astype(int)
        _, first = np.unique(cells, return_index=True)
        x, y = x[first], y[first]
    marker, color = mark
    axes.scatter(x, y, s=26, color=color, marker=marker, linewidths=1.2, label=label)


def _failures(run: Run) -> Iterable[tuple[Any, tuple[str, str], str]]:
    """Which records failed in the same way, with their mark and label."""
    kinds = failures_by_kind(run)
    named = list(kinds)[: len(_FAILURE_MARKS) - (len(kinds) > len(_FAILURE_MARKS))]
    for kind, mark in zip(named, _FAILURE_MARKS, strict=False):
        chosen = run.records["failure"] == run.kinds.index(kind)
        yield chosen, mark, f"{kind} ({kinds[kind]:,})"
    others = [kind for kind in kinds if kind not in named]
    if others:
        indexes = [run.kinds.index(kind) for kind in others]
        total = sum(kinds[kind] for kind in others)
        chosen = np.isin(run.records["failure"], indexes)
        yield chosen, _FAILURE_MARKS[-1], f"{len(others)} other kinds ({total:,})"


def _part_lines(axes: Axes, summary: Summary) -> None:
    """p50 and p99 of each wave or period, in its middle."""
    parts = [part for part in summary.parts if part.latency_ms.p50 is not None]
    middle = [(part.due_s + part.until_s) / 2 for part in parts]
    of = "of the wave" if summary.waves else "of the period"
    for name, values, color in (
        ("p99", [part.latency_ms.p99 for part in parts], PURPLE),
        ("p50", [part.latency_ms.p50 for part in parts], "black"),
    ):
        axes.plot(middle, _known(values), color=color, linewidth=2, label=f"{name} {of}")


def _ecdf(milliseconds: Seconds) -> tuple[Seconds, Seconds]:
    """Values and the shares of requests that do not exceed them, at most about 600 points: the
    last of the values that share a cell of the plot's width or height."""
    ordered = np.sort(milliseconds)
    count = len(ordered)
    shares = np.arange(1, count + 1) / count
    if count > _STEPS:
        # Evenly by rank, the extremes, and evenly by value: tails are few ranks and much width.
        by_rank = np.linspace(0, count - 1, _STEPS // 2).astype(int)
        grid = np.linspace(ordered[0], ordered[-1], _STEPS // 2)
        by_value = np.searchsorted(ordered, grid, side="right") - 1
        chosen = np.unique(np.concatenate([by_rank, by_value]))
        ordered, shares = ordered[chosen], shares[chosen]
    return np.insert(ordered, 0, ordered[0]), np.insert(shares, 0, 0.0)


def _padded(left: float, right: float) -> tuple[float, float]:
    pad = 0.02 * (right - left) or 0.5
    return left - pad, right + pad


def _known(values: Sequence[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in values]


def save_capacity_plot(curve: Curve, path: Path) -> None:
    """p50 and p99 by request rate, with the limit and the knee; the suffix selects the format."""
    with mpl.rc_context(STYLE):
        made, axes = figure(4.6)
        last = sorted(curve.last_by_size(), key=lambda step: step.parallel)
        repeated = len(curve.steps) > len(last)
        for name, color, label, pale in (
            (
                "p99",
                BLUE,
                "p99",
                "first measurement, repeated" if repeated else "",
            ),
            ("p50", GREY, "p50", ""),
        ):
            axes.plot(*_points(last, name), "o-", color=color, linewidth=2, label=label)
            axes.plot(*_points(curve.steps, name), "o", color=color, alpha=0.35, label=pale)
        limit = curve.search.limit_ms
        label = f"limit for p99: {limit:g} ms"
        axes.axhline(limit, color=RED, linestyle="--", linewidth=1.8, label=label)
        if curve.knee:
            rate = curve.knee.offered_rps
            bound = "at least " if curve.is_lower_bound else ""
            label = f"sustained: {bound}{rate:.4g} requests/s"
            axes.axvline(rate, color="black", linestyle=":", linewidth=1.8, label=label)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        period = curve.search.period
        axes.set_xlabel(f"load, requests/s (a wave every {period:g} s)")
        axes.set_ylabel("latency, ms")
        axes.set_title(f"Latency by load: {curve.target}", loc="left", fontsize=13)
        made.legend(loc="outside lower left", ncols=2)
        made.savefig(path, dpi=150)


def _points(steps: Iterable[Step], name: str) -> tuple[list[float], list[float]]:
    """Rates and latencies, without waves that have no latency."""
    found = [(step.offered_rps, step.p99_ms if name == "p99" else step.p50_ms) for step in steps]
    known = [(rate, latency) for rate, latency in found if latency is not None]
    return [rate for rate, _ in known], [latency for _, latency in known]
