"""How slowly the bytes of a request may arrive.

As in Apache's mod_reqtimeout and in Kestrel, pauses and the rate are bounded instead of the whole
time: over a slow line, a large photo takes minutes.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from classifier.errors import BodyTimeout, ServiceError, TooManyUploads

MIN_BYTES_PER_SECOND: Final = 1_000
"""A hundredth of a slow mobile connection. Apache's default is 500, Kestrel's is 240."""


class Pace:
    """Reports bytes that arrive too slowly: none for `seconds`, or too few in a period of
    `seconds`. While memory is short, the first period is the last.

    It needs one timer, which it sets again when that has fired, and not for each chunk.
    """

    __slots__ = (
        "_bytes",
        "_is_crowded",
        "_last",
        "_on_slow",
        "_seconds",
        "_start",
        "_time",
        "_timer",
    )

    def __init__(
        self,
        seconds: float,
        on_slow: Callable[[ServiceError], None],
        is_crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        """Starts now. `on_slow` is called once, with the refusal, unless `stop` is called before.
        `is_crowded` returns whether memory is short."""
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self._seconds = seconds
        self._on_slow = on_slow
        self._is_crowded = is_crowded
        self._bytes = 0
        """In this period"""
        self._start = self._last = loop.time()
        self._timer = loop.call_later(seconds, self._check)

    def add(self, size: int) -> None:
        """`size` bytes have arrived."""
        self._bytes += size
        self._last = self._time()

    def stop(self) -> None:
        """All has arrived, or nothing more is expected. Ends the references to the callbacks."""
        self._timer.cancel()
        del self._on_slow, self._is_crowded

    def _check(self) -> None:
        now = self._time()
        error: ServiceError | None = None
        if now >= self._last + self._seconds:
            error = BodyTimeout.pause(self._seconds)
        elif now >= self._start + self._seconds:
            if self._is_crowded():
                error = TooManyUploads()
            elif self._bytes < MIN_BYTES_PER_SECOND * self._seconds:
                error = BodyTimeout.rate(MIN_BYTES_PER_SECOND, self._seconds)
            self._bytes, self._start = 0, now
        if error:
            self._on_slow(error)
        else:
            due = min(self._last, self._start) + self._seconds
            self._timer = asyncio.get_running_loop().call_at(due, self._check)
