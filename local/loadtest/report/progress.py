"""Progress of a run: a bar on a terminal, else a line every five seconds.

Declined: tqdm, which has no percentile of the last seconds; the load tests do not require it.
"""

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

import numpy as np

from local.common.terminal import TerminalLine
from local.loadtest.percentiles import percentile
from local.loadtest.run import Records, latency
from local.loadtest.schedule import Schedule, Seconds

_WIDTH: Final = 20
_DRAW_SECONDS: Final = 0.25
_LINE_SECONDS: Final = 5.0
_RECENT_SECONDS: Final = 5.0
"""Rate and p99 cover the requests that ended within this time."""


class Progress:
    """Counts finished requests and writes to `stream`."""

    def __init__(
        self,
        schedule: Schedule,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """stream: default stderr. clock: seconds."""
        self._total = schedule.requests
        self._last_due = float(schedule.due[-1]) if schedule.requests else 0.0
        self._stream = stream or sys.stderr
        self._clock = clock
        self._line = TerminalLine(self._stream)
        self._started = self._written = clock()
        self._first = True
        self._over = 0
        self._failed = 0
        self._recent: deque[tuple[float, int, Seconds]] = deque()
        """Time, number of requests, and latencies of those that were answered."""
        if self._line.is_shown:
            self._write()

    def add(self, records: Records) -> None:
        """Count `records`, which have just ended. Also called without any, to show the time."""
        now = self._clock()
        if len(records):
            self._over += len(records)
            answered = records["failure"] == 0
            self._failed += len(records) - int(answered.sum())
            self._recent.append((now, len(records), latency(records)[answered]))
            # Records arrive soon after their end, which counts from the start of the run.
            started = now - float(records["ended"].max())
            self._started = started if self._first else min(self._started, started)
            self._first = False
        pause = _DRAW_SECONDS if self._line.is_shown else _LINE_SECONDS
        if now >= self._written + pause or (self._line.is_shown and self._over == self._total):
            self._write()

    def clear(self) -> None:
        """Clear the line for other output."""
        self._line.clear()

    def _write(self) -> None:
        self._written = self._clock()
        status = self._status(self._written)
        if self._line.is_shown:
            filled = _WIDTH * self._over // max(1, self._total)
            self._line.write(f"[{'#' * filled}{' ' * (_WIDTH - filled)}] {status}")
        else:
            print(status, file=self._stream, flush=True)

    def _status(self, now: float) -> str:
        parts = [f"{self._over}/{self._total}"]
        while self._recent and self._recent[0][0] <= now - _RECENT_SECONDS:
            self._recent.popleft()
        elapsed = now - self._started
        if elapsed > 0 and self._over:
            ended = sum(count for _, count, _ in self._recent)
            parts.append(f"{ended / min(_RECENT_SECONDS, max(elapsed, _DRAW_SECONDS)):.0f}/s")
        if self._failed:
            parts.append(f"{self._failed} failed")
        latencies = np.concatenate([taken for *_, taken in self._recent] or [np.zeros(0)])
        if len(latencies):
            latencies.sort()
            parts.append(f"p99 {percentile(latencies, 99) * 1000:.0f} ms")
        if self._over < self._total:
            left = self._last_due - elapsed
            parts.append(f"{duration(left)} left" if left > 0 else "waiting for the last responses")
        return "  ".join(parts)


def duration(seconds: float) -> str:
    """Such as 7 s, 3:05 min or 2:00:07 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    if not hours:
        return f"{rest // 60}:{rest % 60:02} min"
    return f"{hours}:{rest // 60:02}:{rest % 60:02} h"
