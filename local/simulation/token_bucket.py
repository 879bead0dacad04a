"""A limit on a rate: of requests, or of new environments. Times are in microseconds."""

import numpy as np

from local.simulation.durations import Microseconds
from local.simulation.stretch import first


class TokenBucket:
    """A token bucket in integers: full at first, `size` tokens refilled per `interval` us."""

    def __init__(self, size: int, interval: int) -> None:
        self._size = size
        self._interval = interval
        self._level = self._full = size * interval
        self._now = 0

    def available(self, now: int) -> int:
        """The tokens that can be taken at `now` (never decreasing)."""
        self._level = min(self._level + (now - self._now) * self._size, self._full)
        self._now = now
        return self._level // self._interval

    def take(self, count: int) -> None:
        """Take tokens, at most as many as are available."""
        self._level -= count * self._interval

    @property
    def longest(self) -> int:
        """The longest time, in microseconds, for `instants` in 64 bits."""
        return 2**61 // self._size

    def instants(self, starts: Microseconds, arrivals: Microseconds) -> int:
        """The number of instants before the first that needs more tokens than there are."""
        missing, wanted = self._missing(starts, arrivals)
        return first(wanted > self._full - missing)

    def take_all(self, starts: Microseconds, arrivals: Microseconds) -> None:
        """Take `arrivals` tokens at each instant, as many as are available."""
        missing, wanted = self._missing(starts, arrivals)
        self._level = self._full - int(missing[-1] + wanted[-1])
        self._now = int(starts[-1])

    def _missing(
        self, starts: Microseconds, arrivals: Microseconds
    ) -> tuple[Microseconds, Microseconds]:
        """What is missing from a full bucket at each instant, and what is wanted."""
        self.available(int(starts[0]))
        wanted = arrivals * self._interval
        net = np.cumsum(wanted) - wanted - (starts - starts[0]) * self._size
        # Lindley's recursion: nothing is missing whenever `net` is lower than ever before.
        full_at = np.minimum(np.minimum.accumulate(net), self._level - self._full)
        return net - full_at, wanted
