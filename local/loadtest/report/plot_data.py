"""A run, reduced to what plots show: their size does not depend on the number of requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from local.loadtest.concurrency import concurrency, concurrency_peaks
from local.loadtest.run import Run, latency, service
from local.loadtest.schedule import Seconds
from local.loadtest.stats import failures_by_kind

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Horizontal and vertical positions."""

MANY: Final = 2_000
"""More requests than this are shown as a density, and more failures in a plot of their own."""
COLUMNS: Final = 240
ROWS: Final = 100
"""Cells of the density."""
FAILURE_BINS: Final = 100
NAMED_KINDS: Final = 4
"""The most frequent kinds of failures have their own colour; if there are more, the last is for all
others."""
_STEPS: Final = 600
"""Points of the distribution, and bins of the requests in flight."""
_LOG_RATIO: Final = 20
"""Durations have a logarithmic axis if the highest is more than this many times the median."""


class Scale(NamedTuple):
    """An axis of durations in milliseconds."""

    log: bool
    """Whether it has to be logarithmic."""
    least: float
    """Its start; shorter durations are shown there."""


@dataclass(frozen=True, eq=False)
class Density:
    """Requests by due time and latency."""

    columns: Seconds
    """Edges, shape [columns + 1]."""
    rows: Seconds
    """Edges in milliseconds, shape [rows + 1]; with a logarithmic axis, at equal ratios."""
    counts: NDArray[np.int64]
    """Shape [rows, columns]."""


@dataclass(frozen=True, eq=False)
class PlotData:
    """Durations in milliseconds, times in seconds from the start of the run."""

    at_once: bool
    """Whether all requests are due at once: positions are then their numbers, from 1."""
    scale: Scale
    """Of all latencies that are shown as dots, those of failures included."""
    answered_scale: Scale
    """Of answered requests."""
    end: float
    """The last position."""
    answered: Points | Density
    in_flight: Points
    """When the run was stopped."""
    marks: list[tuple[str, Points]]
    """Failures by kind, if there are not many."""
    failures: list[tuple[str, Seconds]]
    """Otherwise, failures by kind in each of the bins between `failure_edges`."""
    failure_edges: Seconds
    latency: Points
    service: Points
    """Values and shares of the requests that do not exceed them."""
    concurrency: Points
    """Requests in flight from each time on; of a long run, the highest number in each bin."""


def plot_data(run: Run) -> PlotData:
    """All that the plots of a run show."""
    records = run.records
    at_once = run.schedule.span is None
    x = records["request"] + 1.0 if at_once else records["due"]
    y = latency(records) * 1000
    failure = records["failure"]
    answered, stopped = failure == 0, failure == 1
    end = float(x.max(initial=0)) or 1.0
    kinds = list(_kinds(run))
    many = int((failure > 1).sum()) > MANY
    usual = y[answered] if answered.any() else y
    scale = _scale(y[failure <= 1] if many else y, usual)
    answered_scale = _scale(usual, usual)
    del usual
    distribution = _ecdf(y[answered])
    np.maximum(y, scale.least, out=y)
    edges = np.linspace(0, end, FAILURE_BINS + 1)
    return PlotData(
        at_once=at_once,
        scale=scale,
        answered_scale=answered_scale,
        end=end,
        answered=_density(x[answered], y[answered], end, scale.least)
        if answered.sum() > MANY
        else (x[answered], y[answered]),
        in_flight=_thinned(x[stopped], y[stopped]),
        marks=[] if many else [(label, (x[chosen], y[chosen])) for label, chosen in kinds],
        failures=[
            (label, np.histogram(x[chosen], edges)[0].astype(np.float64)) for label, chosen in kinds
        ]
        if many
        else [],
        failure_edges=edges,
        latency=distribution,
        service=_ecdf(service(records)[answered] * 1000),
        concurrency=_concurrency(run),
    )


def _scale(shown: Seconds, usual: Seconds) -> Scale:
    """The scale for durations in ms, of which the usual ones must be legible: on a linear axis, the
    longest would hide them."""
    if not len(usual) or not len(shown):
        return Scale(log=False, least=0.0)
    median = float(np.median(usual))
    if shown.max() <= _LOG_RATIO * median:
        return Scale(log=False, least=0.0)
    return Scale(log=True, least=max(float(shown.min()), median / 100, 1e-3))


def _kinds(run: Run) -> Iterator[tuple[str, Any]]:
    """A label with the count, and which records failed like that."""
    kinds = failures_by_kind(run)
    named = list(kinds)[: NAMED_KINDS - (len(kinds) > NAMED_KINDS)]
    for kind in named:
        yield f"{kind} ({kinds[kind]:,})", run.records["failure"] == run.kinds.index(kind)
    others = [kind for kind in kinds if kind not in named]
    if others:
        total = sum(kinds[kind] for kind in others)
        indexes = [run.kinds.index(kind) for kind in others]
        chosen = np.isin(run.records["failure"], indexes)
        yield f"{len(others)} other kinds ({total:,})", chosen


def _density(x: Seconds, y: Seconds, end: float, least: float) -> Density:
    """`least` is 0 for a linear axis."""
    top = float(y.max()) or 1.0
    if least:
        rows = np.geomspace(least, max(top, 2 * least), ROWS + 1)
        height = np.log(np.maximum(y, least) / least) / np.log(rows[-1] / least)
    else:
        rows = np.linspace(0, top, ROWS + 1)
        height = y / top
    # Declined: numpy.histogram2d, which takes ten times as long because it searches for each bin.
    column = np.minimum((x / end * COLUMNS).astype(np.int64), COLUMNS - 1)
    row = np.clip((height * ROWS).astype(np.int64), 0, ROWS - 1)
    counts = np.bincount(row * COLUMNS + column, minlength=ROWS * COLUMNS)
    return Density(np.linspace(0, end, COLUMNS + 1), rows, counts.reshape(ROWS, COLUMNS))


def _thinned(x: Seconds, y: Seconds) -> Points:
    """At most `MANY` of the points, evenly chosen."""
    step = -(-len(x) // MANY) or 1
    return x[::step], y[::step]


def _ecdf(milliseconds: Seconds) -> Points:
    """Of many, 600 points, evenly by rank: the drawn share is right to a sixth of a percent."""
    ordered = np.sort(milliseconds)
    count = len(ordered)
    if not count:
        return ordered, ordered
    ranks = np.unique(np.linspace(0, count - 1, min(count, _STEPS)).astype(int))
    values, shares = ordered[ranks], (ranks + 1) / count
    return np.insert(values, 0, values[0]), np.insert(shares, 0, 0.0)


def _concurrency(run: Run) -> Points:
    if len(run.records) <= _STEPS:
        times, levels = concurrency(run.records)
    else:
        times = np.linspace(0, float(run.records["ended"].max()), _STEPS + 1)
        levels = np.append(concurrency_peaks(run.records, times), 0)
    return times, levels.astype(np.float64)
