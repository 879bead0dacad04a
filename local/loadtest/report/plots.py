"""Plots of a run as SVG."""

import io
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from local.loadtest.parts import Part
from local.loadtest.report.plot_data import NAMED_KINDS, Density, PlotData, Points

BLUE: Final = "#0b62a4"
GREY: Final = "#6b7280"
RED: Final = "#c2410c"
PURPLE: Final = "#7c3aed"
LIGHT: Final = "#93c5fd"

WIDE: Final = 9.0
"""Inches, for a column of about 900 pixels."""
NARROW: Final = 4.2
"""Inches, for a phone of 390 pixels: text in plots is then as large as that of the page."""

_MOST_SHAPES: Final = 300
"""Plots with more dots contain them as an image: each takes 100 bytes of SVG."""
_FEW_COUNTS: Final = 10
_DENSITY: Final = LinearSegmentedColormap.from_list("density", ["#bfdbfe", BLUE, "#082f49"])
_FAILURES: Final = (("x", RED), ("+", "#be185d"), ("^", "#a16207"), ("s", "#15803d"))
"""Marker and colour of each kind."""
assert len(_FAILURES) == NAMED_KINDS

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


def latency_plot(data: PlotData, parts: list[Part], width: float = WIDE) -> str:
    """Latency of requests by due time, with the percentiles of `parts`; if all are due at once, by
    number."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width, height=3.6 if width == WIDE else 4.4)
        if isinstance(data.answered, Density):
            _draw_density(axes, data.answered, with_scale=width == WIDE)
        else:
            _dots(axes, data.answered, s=22, color=BLUE, alpha=0.6, linewidths=0, label="answered")
        _dots(axes, data.in_flight, marker="|", color=GREY, label="in flight when stopped")
        for (label, points), (marker, color) in zip(data.marks, _FAILURES, strict=False):
            _dots(axes, points, s=26, marker=marker, color=color, linewidths=1.2, label=label)
        if not data.at_once and len(parts) > 1 and len(data.latency[0]):
            _draw_parts(axes, parts)
        _label_positions(axes, data)
        axes.set_ylabel("latency, ms")
        if data.scale.log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(_plain)
        axes.set_ylim(bottom=data.scale.least)
        axes.set_xlim(*_padded(1 if data.at_once else 0, data.end))
        _legend(made, axes, width)
        return svg(made)


def failures_plot(data: PlotData, width: float = WIDE) -> str:
    """Failures over time by kind, one on top of the other."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width, height=2.8 if width == WIDE else 3.6)
        below = np.zeros(len(data.failure_edges) - 1)
        for (label, counts), (_, color) in zip(data.failures, _FAILURES, strict=False):
            axes.stairs(
                below + counts, data.failure_edges, baseline=below, fill=True, color=color,
                label=label,
            )  # fmt: skip
            below = below + counts
        axes.set_ylim(bottom=0)
        axes.set_xlim(*_padded(0, data.end))
        _label_positions(axes, data)
        axes.set_ylabel(f"failures in {data.failure_edges[1]:.3g}{'' if data.at_once else ' s'}")
        _legend(made, axes, width)
        return svg(made)


def distribution_plot(data: PlotData, width: float = WIDE) -> str:
    """Cumulative distribution of latency and service time."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width)
        if len(data.latency[0]):
            for (values, shares), color, line, label in (
                (data.service, LIGHT, 4, "service: from sending"),
                (data.latency, BLUE, 2, "latency: from due time"),
            ):
                axes.plot(
                    values, shares, color=color, linewidth=line, label=label, drawstyle="steps-post"
                )
            if data.answered_scale.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(_plain)
            axes.set_xlim(left=data.answered_scale.least)
        axes.set_yticks(
            [0, 0.25, 0.5, 0.75, 0.9, 1], ["0 %", "25 %", "50 %", "75 %", "90 %", "100 %"]
        )
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("time, ms")
        axes.set_ylabel("answered requests")
        _legend(made, axes, width)
        return svg(made)


def concurrency_plot(data: PlotData, width: float = WIDE) -> str:
    """Requests in flight over time."""
    with mpl.rc_context(STYLE):
        made, axes = figure(width=width, height=2.8)
        times, levels = data.concurrency
        axes.fill_between(times, levels, step="post", color=LIGHT, linewidth=0)
        axes.step(times, levels, where="post", color=BLUE, linewidth=1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("time since the start, s")
        axes.set_ylabel("requests in flight")
        return svg(made)


@FuncFormatter
def _plain(value: float, _: object = None) -> str:
    """Such as 0.1, 30 and 1,000 on a logarithmic axis."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _draw_density(axes: Axes, density: Density, *, with_scale: bool) -> None:
    image = axes.pcolormesh(
        density.columns,
        density.rows,
        np.ma.masked_equal(density.counts, 0),
        cmap=_DENSITY,
        norm=LogNorm(1, max(2, int(density.counts.max()))),
        rasterized=True,
    )
    if with_scale:
        bar = axes.figure.colorbar(image, ax=axes, pad=0.01, aspect=30, format=_plain)
        # The numbers between powers of ten, if there are few.
        few = density.counts.max() < _FEW_COUNTS
        bar.ax.yaxis.set_minor_formatter(_plain if few else NullFormatter())
        bar.set_label("answered requests")


def _dots(axes: Axes, points: Points, **options: Any) -> None:
    x, y = points
    if len(x):
        axes.scatter(x, y, **options).set_rasterized(len(x) > _MOST_SHAPES)


def _label_positions(axes: Axes, data: PlotData) -> None:
    """Horizontally: due times, or numbers of requests, which are whole."""
    axes.set_xlabel("number of the request" if data.at_once else "due time, s")
    if data.at_once:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _draw_parts(axes: Axes, parts: list[Part]) -> None:
    """p50 and p99 of each wave or period, in its middle."""
    middle = [(part.due_s + part.until_s) / 2 for part in parts]
    of = "period" if parts[0].wave is None else "wave"
    for name, values, color in (
        ("p99", [part.latency_ms.p99 for part in parts], PURPLE),
        ("p50", [part.latency_ms.p50 for part in parts], "black"),
    ):
        known = [np.nan if value is None else value for value in values]
        axes.plot(middle, known, color=color, linewidth=2, label=f"{name} of the {of}")


def _legend(made: Figure, axes: Axes, width: float) -> None:
    if axes.get_legend_handles_labels()[0]:
        made.legend(loc="outside upper left", ncols=3 if width == WIDE else 1)


def _padded(left: float, right: float) -> tuple[float, float]:
    pad = 0.02 * (right - left) or 0.5
    return left - pad, right + pad
