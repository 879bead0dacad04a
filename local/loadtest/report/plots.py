"""Plots of a run as SVG, and the capacity plot."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from local.loadtest.client.runner import Run
from local.loadtest.knee import Curve, Step
from local.loadtest.result import ANSWERED, IN_FLIGHT, RequestResult
from local.loadtest.stats import Summary, concurrency

BLUE: Final = "#0b62a4"
GREY: Final = "#6b7280"
RED: Final = "#c2410c"
PURPLE: Final = "#7c3aed"
LIGHT: Final = "#93c5fd"

_MANY: Final = 5000
"""Plots with more points are rasterized, which keeps the file small."""

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


def figure(height: float = 3.6) -> tuple[Figure, Axes]:
    """An empty figure, 9 inches wide."""
    made = Figure(figsize=(9, height), layout="constrained")
    return made, made.add_subplot()


def svg(made: Figure) -> str:
    """The SVG element of a figure."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def latency_plot(run: Run, summary: Summary) -> str:
    """Latency of each request by due time; for a single wave, by index in the wave."""
    with mpl.rc_context(STYLE):
        made, axes = figure()
        single = len(summary.waves) <= 1
        _scatter(axes, run, ANSWERED, BLUE, "o", "answered", single)
        _scatter(axes, run, IN_FLIGHT, GREY, "|", "in flight when stopped", single)
        _scatter(axes, run, None, RED, "x", "failed", single)
        if not single:
            waves = [wave for wave in summary.waves if wave.latency_ms.p50 is not None]
            due = [wave.due_s for wave in waves]
            p99 = [wave.latency_ms.p99 or 0 for wave in waves]
            p50 = [wave.latency_ms.p50 or 0 for wave in waves]
            axes.plot(due, p99, color=PURPLE, linewidth=2, label="p99 of the wave")
            axes.plot(due, p50, color="black", linewidth=2, label="p50 of the wave")
        axes.set_xlabel("index of the request in the wave" if single else "due time, s")
        axes.set_ylabel("latency, ms")
        axes.set_ylim(bottom=0)
        if axes.get_legend_handles_labels()[0]:
            made.legend(loc="outside upper right", ncols=5)
        return svg(made)


def distribution_plot(run: Run) -> str:
    """Cumulative distribution of latency and service time."""
    with mpl.rc_context(STYLE):
        made, axes = figure()
        answered = [result for result in run.results if result.failure == ANSWERED]
        if answered:
            service = [result.service * 1000 for result in answered]
            latency = [result.latency * 1000 for result in answered]
            axes.ecdf(service, color=LIGHT, linewidth=4, label="service: from sending")
            axes.ecdf(latency, color=BLUE, linewidth=2, label="latency: from due time")
            axes.legend(loc="lower right")
            axes.set_xlim(left=0)
        axes.set_yticks(
            [0, 0.25, 0.5, 0.75, 0.9, 1], ["0 %", "25 %", "50 %", "75 %", "90 %", "100 %"]
        )
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("time, ms")
        axes.set_ylabel("share of answered requests")
        return svg(made)


def concurrency_plot(run: Run) -> str:
    """Requests in flight over time."""
    with mpl.rc_context(STYLE):
        made, axes = figure()
        levels = concurrency(run.results)
        times = [time - run.start for time, _ in levels]
        counts = [count for _, count in levels]
        axes.fill_between(
            times, counts, step="post", color=LIGHT, linewidth=0, rasterized=len(times) > _MANY
        )
        axes.step(
            times, counts, where="post", color=BLUE, linewidth=1, rasterized=len(times) > _MANY
        )
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("time since the start, s")
        axes.set_ylabel("requests in flight")
        return svg(made)


def _scatter(  # noqa: PLR0913, PLR0917
    axes: Axes, run: Run, failure: str | None, color: str, marker: str, label: str, single: bool
) -> None:
    """The results with this `failure`; None: with any kind of failure."""
    chosen = [result for result in run.results if _kind(result) == failure]
    if not chosen:
        return
    axes.scatter(
        [result.number + 1 if single else result.intended - run.start for result in chosen],
        [result.latency * 1000 for result in chosen],
        s=22,
        color=color,
        marker=marker,
        alpha=0.6 if failure == ANSWERED else 0.9,
        linewidths=0 if marker == "o" else 1,
        label=label,
        rasterized=len(chosen) > _MANY,
    )


def _kind(result: RequestResult) -> str | None:
    return result.failure if result.failure in (ANSWERED, IN_FLIGHT) else None


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
