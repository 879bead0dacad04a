"""Goodput by the number of connections: tables, and a plot."""

import json
import statistics
from collections.abc import Mapping
from typing import Any, Final

import matplotlib as mpl
from matplotlib.ticker import NullLocator, StrMethodFormatter

from local.benchmark.overload.plan import REFERENCE
from local.benchmark.overload.tables import (
    goodput_table,
    goodputs,
    measured,
    numbers,
    polite_table,
    service_table,
)
from local.docs.measurements import MEASURED, where
from local.loadtest.report.plots import BLUE, GREY, PURPLE, RED, STYLE, figure, svg

Figures = Mapping[str, Any]

_COLORS: Final = {"service": BLUE, "before": RED, "litserve": PURPLE, "bentoml": GREY}
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
        f"Goodput, and in parentheses divided by that at {REFERENCE} connections before and after:",
        goodput_table(figures),
        "This service:",
        service_table(figures),
        polite_table(figures),
        note,
    ]
    return "\n\n".join(part for part in parts if part)


def overload_plot() -> str:
    """An SVG: the goodput of each server against connections, with the range of repetitions."""
    figures = overload()
    counts = numbers(figures)
    with mpl.rc_context({**STYLE, "svg.hashsalt": "goodput"}):
        made, axes = figure(4.4)
        made.patch.set_facecolor("white")  # readable on a dark page, too
        for key, server in figures["servers"].items():
            if server not in measured(figures):
                continue
            found = [goodputs(server, connections) for connections in counts]
            color = _COLORS[key]
            axes.fill_between(
                counts, list(map(min, found)), list(map(max, found)), color=color, alpha=0.15, lw=0
            )
            axes.plot(
                counts,
                [statistics.median(values) for values in found],
                marker=_MARKERS[key],
                color=color,
                linewidth=2.5 if key == "service" else 1.8,
                label=server["title"],
            )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        # 256 and 300 would touch
        axes.set_xticks([count for count in counts if count != 300])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("connections that retry at once")
        axes.set_ylabel("good responses per second")
        made.legend(loc="outside upper right", ncols=len(figures["servers"]))
        return svg(made)
