"""The number of requests in flight over time.

Declined: `numpy.unique` over all starts and ends, which needs 100 MB more for a million requests.
"""

import numpy as np
from numpy.typing import NDArray

from local.loadtest.run import Records
from local.loadtest.schedule import Seconds

Counts = NDArray[np.int64]


def concurrency(records: Records) -> tuple[Seconds, Counts]:
    """The number of requests in flight from each time on, shape [changes], times ascending. A
    request that ends when another starts is not counted with it."""
    starts, ends = _sorted(records)
    times: Seconds = np.unique(np.concatenate([starts, ends]))
    return times, _level(starts, ends, times)


def peak_concurrency(records: Records) -> int:
    """The largest number of requests in flight at the same time."""
    starts, ends = _sorted(records)
    return int(_level(starts, ends, starts).max(initial=0))


def concurrency_peaks(records: Records, edges: Seconds) -> Counts:
    """The largest number of requests in flight from each of `edges` (ascending) to the next, shape
    [edges - 1]."""
    starts, ends = _sorted(records)
    peaks = _level(starts, ends, edges[:-1])
    # A maximum is reached when a request starts.
    bins = np.searchsorted(edges, starts, side="right") - 1
    inside = (bins >= 0) & (bins < len(peaks))
    np.maximum.at(peaks, bins[inside], _level(starts, ends, starts)[inside])
    return peaks


def _sorted(records: Records) -> tuple[Seconds, Seconds]:
    started = np.isfinite(records["started"])
    return np.sort(records["started"][started]), np.sort(records["ended"][started])


def _level(starts: Seconds, ends: Seconds, times: Seconds) -> Counts:
    level: Counts = np.searchsorted(starts, times, side="right") - np.searchsorted(
        ends, times, side="right"
    )
    return level
