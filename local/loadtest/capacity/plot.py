"""The plot of a search."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from local.loadtest.capacity.result import Result
from local.loadtest.capacity.step import Step
from local.loadtest.report.plots import BLUE, GREY, LIGHT, RED, STYLE, figure


def save_plot(result: Result, path: Path) -> None:
    """p50 and p99 by rate, with the limit and the result; the suffix selects the format."""
    with mpl.rc_context(STYLE):
        made, axes = figure(4.8)
        _points(axes, result.steps)
        limit = result.criteria.limit_ms
        axes.axhline(
            limit, color=RED, linestyle="--", linewidth=1.8, label=f"limit for p99: {limit:g} ms"
        )
        _result(axes, result)
        rates = [step.offered_rps for step in result.steps]
        slow = [step.p99_ms or 0 for step in result.steps]
        axes.set_xlim(0, 1.05 * max(rates, default=1.0))
        if max(slow, default=0) > 10 * limit:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(f"load, requests/s ({result.search.shape.title})")
        axes.set_ylabel("latency, ms")
        title = f"Latency by load: {result.target}"
        if result.client_limit:
            title += "\nThe client was the limit: the service may sustain more"
        elif result.status == "incomplete":
            title += "\nIncomplete"
        axes.set_title(title, loc="left", fontsize=13, parse_math=False)
        made.legend(loc="outside lower left", ncols=2)
        made.savefig(path, dpi=150)


def _points(axes: Axes, steps: Iterable[Step]) -> None:
    """A dot for each measurement that passed, a cross for the others."""
    chosen = [step for step in steps if step.p99_ms is not None]
    for label, color, marker, part in (
        ("p99, sustained", BLUE, "o", [step for step in chosen if step.passed]),
        (
            "p99, not sustained",
            RED,
            "x",
            [step for step in chosen if not step.passed and not step.client_limit],
        ),
        ("p99, the client was late", GREY, "x", [step for step in chosen if step.client_limit]),
    ):
        if part:
            axes.plot(
                [step.offered_rps for step in part],
                [step.p99_ms or 0 for step in part],
                linestyle="",
                marker=marker,
                color=color,
                markersize=8,
                markeredgewidth=2,
                label=label,
            )
    ordered = sorted(chosen, key=lambda step: step.offered_rps)
    axes.plot(
        [step.offered_rps for step in ordered],
        [step.p50_ms or 0 for step in ordered],
        ".",
        color=GREY,
        label="p50",
    )


def _result(axes: Axes, result: Result) -> None:
    shape, load, interval = result.search.shape, result.load, result.interval
    if load is None:
        return
    bound = "at least " if result.status == "at least" else ""
    rate = shape.rate(load)
    axes.axvline(
        rate, color="black", linestyle=":", linewidth=1.8,
        label=f"sustained: {bound}{rate:.4g} requests/s",
    )  # fmt: skip
    if interval and not bound:
        low, high = shape.rate(interval.low), shape.rate(interval.high)
        axes.axvspan(low, high, color=LIGHT, alpha=0.5, linewidth=0, label="95 % interval")
