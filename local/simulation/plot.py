"""Plots of a forecast: concurrency over time and the distribution of latencies."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes  # type: ignore[import-not-found, unused-ignore]
from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]
from matplotlib.ticker import (  # type: ignore[import-not-found, unused-ignore]
    LogLocator,
    NullFormatter,
)
from numpy.typing import NDArray

from local.simulation.prediction import Prediction
from local.simulation.scaling import SECOND
from local.simulation.simulate import SimulationResult

_POINTS: Final = 1500
"""Approximate horizontal resolution of the plot."""

_BINS: Final = 60


def formats() -> list[str]:
    """The suffixes of the files that can be written."""
    return [f".{name}" for name in sorted(Figure().canvas.get_supported_filetypes())]


def plot(prediction: Prediction, path: Path) -> None:
    """The suffix of `path` is one of `formats`. Raises `OSError`."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    time, distribution = figure.subplots(1, 2)
    # The name of a file may have signs that are mathematics.
    figure.suptitle(prediction.schedule.description, parse_math=False)
    _plot_concurrency(time, prediction)
    _plot_latencies(distribution, prediction.result)
    figure.savefig(path, dpi=120)


def concurrency(result: SimulationResult) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times in microseconds, ascending, and the requests in flight from each time on.

    Above 1500 steps, keeps the maximum of each interval.
    """
    ends = result.ends
    starts = ends - result.latencies
    times = np.concatenate([starts, ends])
    changes = np.repeat(np.array([1, -1]), len(ends))
    order = np.lexsort((changes, times))  # at the same instant, ends before starts
    times, levels = times[order], np.cumsum(changes[order])
    if len(times) > _POINTS:
        edges = np.linspace(times[0], times[-1], _POINTS)
        firsts = np.unique(np.searchsorted(times, edges[:-1]))
        times, levels = times[firsts], np.maximum.reduceat(levels, firsts)
    return times, levels


def _plot_concurrency(axes: Axes, prediction: Prediction) -> None:
    times, levels = concurrency(prediction.result)
    axes.step(times / SECOND, levels, where="post", linewidth=1)
    highest = max(prediction.result.peak_concurrency, 1) * 1.15
    limit = prediction.limits.concurrency
    if limit <= highest:
        axes.axhline(limit, color="tab:red", linestyle="--", linewidth=1, label=f"limit {limit:,}")
        axes.legend()
    axes.set(xlabel="time, s", ylabel="requests in flight", ylim=(0, highest))


def _plot_latencies(axes: Axes, result: SimulationResult) -> None:
    kinds = {"warm": result.warm_latencies / 1000, "cold": result.cold_durations / 1000}
    kinds = {name: values for name, values in kinds.items() if len(values)}
    low = min(values.min() for values in kinds.values()) / 1.2
    high = max(values.max() for values in kinds.values()) * 1.2
    edges = np.geomspace(low, high, _BINS).tolist()
    for name, values in kinds.items():
        label = f"{name}, {len(values):,}"
        axes.hist(values, bins=edges, label=label, alpha=0.8)
    axes.set(xscale="log", yscale="log", xlabel="latency, ms", ylabel="requests")
    # Labels such as "3 x 10^1" at every step of a decade would overlap.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend()
