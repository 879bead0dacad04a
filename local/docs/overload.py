"""Goodput by the number of connections: tables, and a plot."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from local.benchmark.overload.plan import REFERENCE
from local.benchmark.overload.tables import (
    goodput_table,
    goodputs,
    measured,
    numbers,
    polite_table,
    service_table,
    tails_s,
)
from local.docs.measurements import MEASURED, where
from local.loadtest.report.plots import BLUE, GREY, PURPLE, RED, STYLE, svg

Figures = Mapping[str, Any]

_COLORS: Final = {"service": BLUE, "before": RED, "litserve": PURPLE, "bentoml": GREY}
_CROWDED: Final = 300
"""Its label would touch that of 256."""

_MARKERS: Final = {"service": "o", "before": "x", "litserve": "s", "bentoml": "^"}


def overload() -> Figures:
    """Written by `make measure`"""
    figures: Figures = json.loads((MEASURED / "overload.json").read_text("utf-8"))
    return figures


def overload_tables() -> str:
    """Goodput of all servers, and what a crowd of each kind gets of the service."""
    figures = overload()
    kilobytes = figures["image_bytes"] / 1000
    repetitions = figures["repeat"]
    counted = f"medians of {repetitions} repetitions" if repetitions > 1 else "one repetition"
    note = (
        f"{where(figures)}; JPEGs of {kilobytes:.0f} kB; windows of {figures['seconds']:g} s, "
        f"{counted}."
    )
    parts = [
        f"Goodput, in parentheses divided by that at {REFERENCE} connections before and after, and "
        "p99 of the good responses:",
        goodput_table(figures),
        "This service:",
        service_table(figures),
        polite_table(figures),
        note,
    ]
    return "\n\n".join(part for part in parts if part)


def overload_plot() -> str:
    """An SVG: goodput and p99 of each server by connections, with the range of the repetitions."""
    figures = overload()
    counts = numbers(figures)
    with mpl.rc_context({**STYLE, "svg.hashsalt": "goodput"}):
        made = Figure(figsize=(9, 6.4), layout="constrained", facecolor="white")
        goodput, tail = made.subplots(2, sharex=True, height_ratios=[3, 2])
        for key, server in figures["servers"].items():
            if server in measured(figures):
                _line(goodput, key, server["title"], counts, partial(goodputs, server))
                _line(tail, key, "", counts, partial(tails_s, server))
        goodput.set_ylim(bottom=0)
        goodput.set_ylabel("goodput, good responses/s")
        tail.set_yscale("log")
        tail.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        tail.set_ylabel("p99 of them, s")
        tail.set_xscale("log", base=2)
        tail.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        tail.set_xticks([count for count in counts if count != _CROWDED])
        tail.xaxis.set_minor_locator(NullLocator())
        tail.set_xlabel("connections that retry at once")
        made.legend(loc="outside upper center", ncols=len(measured(figures)))
        return svg(made)


def _line(
    axes: Axes, key: str, title: str, counts: Sequence[int], values: Callable[[int], list[float]]
) -> None:
    """The medians of `values` for each of `counts`, and their ranges as a band."""
    found = [values(connections) for connections in counts]
    color = _COLORS[key]
    lowest, highest = list(map(min, found)), list(map(max, found))
    axes.fill_between(counts, lowest, highest, color=color, alpha=0.15, linewidth=0)
    axes.plot(
        counts,
        list(map(statistics.median, found)),
        marker=_MARKERS[key],
        color=color,
        linewidth=2.5 if key == "service" else 1.8,
        label=title,
    )
