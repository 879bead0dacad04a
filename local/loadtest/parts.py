"""A run by waves or by periods of time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from local.loadtest.percentiles import Percentiles, percentiles
from local.loadtest.run import Records, Run, latency, lateness
from local.loadtest.schedule import Schedule

MOST_PARTS: Final = 50
"""More waves than this are summarized as periods: a table of 10,000 lines is of no use."""

_NICE: Final = (1, 2, 5)

Indexes = NDArray[np.int64]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Part:
    """A wave, or the requests that were due in a period. Durations in milliseconds, times in
    seconds from the start of the run."""

    wave: int | None
    """Index of the wave, from 0; None for a period."""
    due_s: float
    """When the wave was due, or the start of the period."""
    until_s: float
    """The end of the period; of a wave, the same as `due_s`."""
    requests: int
    failures: int
    in_flight: int
    last_answer_s: float | None
    latency_ms: Percentiles
    lateness_ms: Percentiles


def parts_of(run: Run) -> list[Part]:
    """The waves of a run; beyond fifty waves, or without waves, at most fifty periods of equal
    length, without those in which nothing was due."""
    if not len(run.records):
        return []
    columns = _Columns(run.records)
    number, width = _numbers(run.records, run.schedule)
    order = np.argsort(number, kind="stable")
    first = np.flatnonzero(np.diff(number[order])) + 1
    parts = []
    for chosen in np.split(order, first):
        index = int(number[chosen[0]])
        if width is None:
            due = float(run.records["due"][chosen].min())
            parts.append(columns.part(chosen, wave=index, due=due, until=due))
        else:
            due = index * width
            parts.append(columns.part(chosen, wave=None, due=due, until=due + width))
    return parts


class _Columns:
    """The columns of records from which parts are made: copies of whole records would need 100 MB
    for a million requests."""

    def __init__(self, records: Records) -> None:
        self.failure = records["failure"]
        self.ended = records["ended"]
        self.latency = latency(records)
        self.lateness = lateness(records)

    def part(self, chosen: Indexes, *, wave: int | None, due: float, until: float) -> Part:
        """The part with the records whose indexes are `chosen`."""
        failure = self.failure[chosen]
        answered = chosen[failure == 0]
        return Part(
            wave=wave,
            due_s=round(due, 6),
            until_s=round(until, 6),
            requests=len(chosen),
            failures=int((failure > 1).sum()),
            in_flight=int((failure == 1).sum()),
            last_answer_s=round(float(self.ended[answered].max()), 6) if len(answered) else None,
            latency_ms=percentiles(self.latency[answered]),
            lateness_ms=percentiles(self.lateness[chosen]),
        )


def _numbers(records: Records, schedule: Schedule) -> tuple[Numbers, float | None]:
    """The part of each record, and the length of a period; None if each part is a wave."""
    if schedule.wave_size is not None:
        wave = records["request"].astype(np.int32) // schedule.wave_size
        waves = int(wave.max()) + 1
        if waves <= MOST_PARTS:
            return wave, None
        if schedule.span is None:
            return np.zeros_like(wave), 0.0
        size = _nice(waves / MOST_PARTS)
        return wave // size, size * schedule.span / (schedule.requests / schedule.wave_size)
    due = records["due"]
    width = float(_nice(float(due.max()) / MOST_PARTS))
    number = np.floor(due / width + 1e-9).astype(np.int32)
    # The last request may be due exactly at the end of the fiftieth period.
    return np.minimum(number, MOST_PARTS - 1), width


def _nice(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, ... that is at least `least`."""
    power = 1
    while True:
        for digit in _NICE:
            if digit * power >= least:
                return digit * power
        power *= 10
