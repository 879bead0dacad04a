"""A run in blocks of time: the data that `compare.py` needs, small enough for the JSON report.

A block is a wave, or as many waves as take a second; without waves it is a second. Longer runs have
longer blocks: at most 500, because more do not narrow an interval. A block holds the requests that
were due in it, and a histogram of the latencies of those that were answered.

Bin i of a histogram holds latencies from 1.01**i up to 1.01**(i + 1) microseconds, so a latency
is known within 1 %. hdrhistogram has such bins too (and a binary format), but is no dependency of
the project, and its counts would have to be decoded before blocks can be added up.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from local.loadtest.run import Run, latency
from local.loadtest.schedule import Seconds

Counts = NDArray[np.int64]

MOST_BLOCKS: Final = 500
LEAST_SECONDS: Final = 1.0
"""Shorter blocks would be more alike than seconds apart are."""
RATIO: Final = 1.01
"""Between the edges of a bin."""

_MOST_BINS: Final = 4096
"""1.01**4096 microseconds are 16,000 years."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """A run in blocks. Arrays have the shape [blocks]."""

    seconds: Seconds
    """Duration of each block. The last one is longer if the run is no multiple of them."""
    requests: Counts
    """Requests that were due in the block."""
    failures: Counts
    """Of those, requests that failed."""
    arrived: Counts
    """Answers that arrived in the block, whenever their requests were due."""
    total_ms: Seconds
    """Sum of the latencies of the answered requests that were due in the block."""
    first_bin: int
    """The bin of the first column of `histograms`."""
    histograms: Counts
    """Answered requests that were due in the block by latency, shape [blocks, bins]."""

    @property
    def answered(self) -> Counts:
        """Answered requests that were due in each block."""
        counts: Counts = self.histograms.sum(axis=1)
        return counts

    def __len__(self) -> int:
        return len(self.requests)

    def as_dict(self) -> dict[str, Any]:
        """For JSON. A histogram is a string: the bin of the first count, then counts, where -k
        stands for k empty bins."""
        return {
            "bin_ratio": RATIO,
            "seconds": [round(float(value), 6) for value in self.seconds],
            "requests": self.requests.tolist(),
            "failures": self.failures.tolist(),
            "arrived": self.arrived.tolist(),
            "total_ms": [round(float(value), 3) for value in self.total_ms],
            "latency": [_encode(row, self.first_bin) for row in self.histograms],
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Blocks":
        """The inverse of `as_dict`. Raises `ValueError`."""
        try:
            if found["bin_ratio"] != RATIO:
                raise ValueError(f"bin_ratio is {found['bin_ratio']}, not {RATIO}")
            first, histograms = _decode_all(found["latency"])
            made = cls(
                seconds=np.array(found["seconds"], dtype=np.float64),
                requests=np.array(found["requests"], dtype=np.int64),
                failures=np.array(found["failures"], dtype=np.int64),
                arrived=np.array(found["arrived"], dtype=np.int64),
                total_ms=np.array(found["total_ms"], dtype=np.float64),
                first_bin=first,
                histograms=histograms,
            )
            made._check()
        except KeyError as error:
            raise ValueError(f"blocks are invalid: {error} is missing") from None
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"blocks are invalid: {error}") from None
        return made

    def _check(self) -> None:
        arrays = [self.seconds, self.requests, self.failures, self.arrived, self.total_ms]
        if {array.shape for array in arrays} != {(len(self.histograms),)}:
            raise ValueError("lists differ in length")
        if not all((np.isfinite(array) & (array >= 0)).all() for array in arrays):
            raise ValueError("a value is negative or not finite")
        if (self.answered + self.failures > self.requests).any():
            raise ValueError("more results than requests")


def join(runs: Sequence[Blocks]) -> Blocks:
    """The blocks of several runs, one run after another. At least one run is needed."""
    filled = [run for run in runs if run.histograms.shape[1]]
    first = min((run.first_bin for run in filled), default=0)
    end = max((run.first_bin + run.histograms.shape[1] for run in filled), default=0)
    padded = []
    for run in runs:
        bins = run.histograms.shape[1]
        before = run.first_bin - first if bins else 0
        padded.append(np.pad(run.histograms, ((0, 0), (before, end - first - before - bins))))
    return Blocks(
        seconds=np.concatenate([run.seconds for run in runs]),
        requests=np.concatenate([run.requests for run in runs]),
        failures=np.concatenate([run.failures for run in runs]),
        arrived=np.concatenate([run.arrived for run in runs]),
        total_ms=np.concatenate([run.total_ms for run in runs]),
        first_bin=first,
        histograms=np.concatenate(padded),
    )


def edges_ms(first: int, bins: int) -> Seconds:
    """The lower edges, in milliseconds, of `bins` bins from bin `first` on, and the upper edge of
    the last, shape [bins + 1]."""
    exponents: Seconds = RATIO ** np.arange(first, first + bins + 1, dtype=np.float64)
    return exponents / 1000


def bins_of(milliseconds: Seconds) -> Counts:
    """The bin of each latency. Latencies below a microsecond are in bin 0."""
    microseconds = np.maximum(milliseconds * 1000, 1)
    bins: Counts = np.floor(np.log(microseconds) / math.log(RATIO) + 1e-9).astype(np.int64)
    return bins


def blocks_of(run: Run) -> Blocks:
    """The blocks of `run`. Of a run that was stopped, blocks that were not complete are left out.
    A run whose requests are all due at once is a single block."""
    records = run.records
    seconds, requests_block = _division(run)
    if run.stopped_by is not None:
        ended = float(records["ended"].max(initial=0))
        complete = int(np.searchsorted(np.cumsum(seconds), ended, side="right"))
        seconds = seconds[:complete]
    count = len(seconds)
    block = requests_block[records["request"]]
    # Columns, not records: a copy of a million records takes 100 MB.
    answered = records["failure"] == 0
    failed = records["failure"] > 1
    due_inside = block < count
    chosen = answered & due_inside
    milliseconds = latency(records)[chosen] * 1000
    first, histograms = _histograms(block[chosen], bins_of(milliseconds), count)
    return Blocks(
        seconds=seconds,
        requests=_count(block, due_inside, count),
        failures=_count(block, failed & due_inside, count),
        arrived=_arrivals(records["ended"][answered], seconds),
        total_ms=np.bincount(block[chosen], weights=milliseconds, minlength=count).astype(
            np.float64
        ),
        first_bin=first,
        histograms=histograms,
    )


def _division(run: Run) -> tuple[Seconds, Counts]:
    """Durations of the blocks, and the block of each request of the schedule."""
    schedule = run.schedule
    if schedule.span is None:
        longest = float(run.records["ended"].max(initial=0))
        return np.array([longest]), np.zeros(schedule.requests, dtype=np.int64)
    if schedule.wave_size is not None:
        waves = schedule.requests // schedule.wave_size
        period = schedule.span / waves
        together = math.ceil(max(LEAST_SECONDS / period, waves / MOST_BLOCKS))
        count = max(1, waves // together)
        width = together * period
        block = np.arange(schedule.requests) // (schedule.wave_size * together)
    else:
        width = max(LEAST_SECONDS, math.ceil(schedule.span / MOST_BLOCKS))
        count = max(1, int(schedule.span / width + 1e-9))
        block = (schedule.due / width).astype(np.int64)
    seconds = np.full(count, width)
    seconds[-1] = schedule.span - width * (count - 1)
    return seconds, np.minimum(block, count - 1)


def _count(block: Counts, chosen: NDArray[np.bool_], count: int) -> Counts:
    counts: Counts = np.bincount(block[chosen], minlength=count)
    return counts


def _arrivals(ended: Seconds, seconds: Seconds) -> Counts:
    edges = np.concatenate([[0.0], np.cumsum(seconds)])
    edges[-1] = np.nextafter(edges[-1], np.inf)  # an answer at the end of the last block counts
    counts: Counts = np.histogram(ended, edges)[0]
    return counts


def _histograms(block: Counts, bins: Counts, count: int) -> tuple[int, Counts]:
    """The first bin, and histograms of the shape [count, bins]."""
    if not len(bins):
        return 0, np.zeros((count, 0), dtype=np.int64)
    first = int(bins.min())
    width = int(bins.max()) - first + 1
    counts = np.bincount(block * width + bins - first, minlength=count * width)
    return first, counts.reshape(count, width)


def _encode(counts: Counts, first: int) -> str:
    present = np.flatnonzero(counts)
    words: list[str] = []
    last = -1
    for index in present.tolist():
        if not words:
            words.append(str(first + index))
        elif index - last > 1:
            words.append(str(last + 1 - index))
        words.append(str(counts[index]))
        last = index
    return " ".join(words)


def _decode_all(texts: Sequence[str]) -> tuple[int, Counts]:
    """The first bin of all, and histograms of the shape [texts, bins]. Raises `ValueError`."""
    decoded = [_decode(text) for text in texts]
    bins = np.concatenate([np.zeros(0, dtype=np.int64), *(bins for bins, _ in decoded)])
    block = np.repeat(np.arange(len(decoded)), [len(bins) for bins, _ in decoded])
    if not len(bins):
        return 0, np.zeros((len(decoded), 0), dtype=np.int64)
    first = int(bins.min())
    if first < 0 or bins.max() >= _MOST_BINS:
        raise ValueError("a latency is not plausible")
    histograms = np.zeros((len(decoded), int(bins.max()) - first + 1), dtype=np.int64)
    histograms[block, bins - first] = np.concatenate([counts for _, counts in decoded])
    return first, histograms


def _decode(text: str) -> tuple[Counts, Counts]:
    """Bins and their counts."""
    numbers = np.array(text.split(), dtype=np.int64)
    if not len(numbers):
        return numbers, numbers
    first, counts = numbers[0], numbers[1:]
    steps = np.where(counts < 0, -counts, 1)
    bins = first + np.cumsum(steps) - steps
    return bins[counts > 0], counts[counts > 0]
