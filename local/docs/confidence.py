"""The shipped model's temperature: its figures from the card, and a reliability plot."""

import json
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from local.common.markdown import table
from local.docs.measurements import MEASURED
from local.docs.model import card
from local.loadtest.report.plots import BLUE, GREY, RED, STYLE, svg

_AREA: Final = 900
"""Square points of the dot of a bin with all photos."""


def confidence_table() -> str:
    """Calibration error before and after, and the threshold."""
    found = card().get("confidence")
    if not found:
        return "The card has no temperature."
    ece, first = found["ece"], found["first_class"]
    rows = [
        (
            f"calibration error (ECE, {ece['bins']} bins)",
            f"{ece['before']:.3f}",
            f"{ece['after']:.3f} ± {ece['deviation']:.3f}",
        ),
        ("the same for exact probabilities: chance", "", f"{ece['if_exact']:.3f}"),
        ("mean probability of the first class", f"{first['before']:.3f}", f"{first['after']:.3f}"),
        ("share of first classes that is right", f"{first['right']:.3f}", f"{first['right']:.3f}"),
    ]
    if "weighted_to_accuracy" in found:
        plain = ece["unweighted"]
        rows.insert(
            1,
            (
                f"the same, unweighted: {first['right_unweighted']:.1%} right",
                f"{plain['before']:.3f}",
                f"{plain['after']:.3f}",
            ),
        )
    note = (
        f"Temperature {found['temperature']:.3f}; {found['photos']} photos, {found['set']}: "
        f"{found['selection']}. After: {ece['validation']}."
    )
    return "\n\n".join([table(("", "before", "after"), rows, numbers_from=1), *_threshold(), note])


def _threshold() -> Sequence[str]:
    found = card()["confidence"]
    if "threshold" not in found:
        return ()
    return (
        f"At {found['threshold']:.0%} or above, {found['precision']:.0%} of the first classes are "
        f"right, {found['precision_validated']:.1%} by cross-validation; "
        f"{found['share_above']:.0%} reach it.",
    )


def reliability_plot() -> str:
    """An SVG: the share of first classes that is right, by their probability."""
    bins: dict[str, list[dict[str, Any]]] = json.loads(
        (MEASURED / "reliability.json").read_text("utf-8")
    )
    with mpl.rc_context({**STYLE, "svg.hashsalt": "reliability"}):
        made = Figure(figsize=(6.4, 5.6), layout="constrained", facecolor="white")
        axes = made.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="exact")
        _bins(axes, bins["before"], "before", RED, "x")
        _bins(axes, bins["after"], "with the temperature", BLUE, "o")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("probability of the first class")
        axes.set_ylabel("share of them that is right")
        axes.set_aspect("equal")
        axes.legend(loc="upper left")
        return svg(made)


def _bins(axes: Axes, bins: list[dict[str, Any]], label: str, color: str, marker: str) -> None:
    """A line through the bins, and marks whose area is the bin's share of the photos."""
    columns = [[each[name] for each in bins] for name in ("probability", "right", "share")]
    axes.plot(columns[0], columns[1], color=color, linewidth=1.8, label=label)
    sizes = [_AREA * share for share in columns[2]]
    axes.scatter(columns[0], columns[1], s=sizes, color=color, marker=marker)
