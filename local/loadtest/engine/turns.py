"""The requests of one sender, in the order in which they are due."""

import math
from typing import Final

from local.loadtest.schedule import Seconds

_CHUNK: Final = 4096
"""A list of floats takes four times the memory of an array, and is read five times as fast."""


class Turns:
    """Every `senders`-th request of `due`, from number `share` on."""

    def __init__(self, due: Seconds, share: int, senders: int) -> None:
        """due: seconds, ascending, shape [requests]."""
        self._due = due[share::senders]
        self._share = share
        self._senders = senders
        self._chunk: list[float] = []
        self._chunk_start = 0
        self._position = 0
        """In the chunk."""
        self.next_due = math.inf
        """When the next request is due; infinity after the last one."""
        self._load(0)

    def take(self) -> tuple[int, float]:
        """The next request: its index in the schedule, and when it is due."""
        index = (self._chunk_start + self._position) * self._senders + self._share
        due = self.next_due
        self._position += 1
        if self._position < len(self._chunk):
            self.next_due = self._chunk[self._position]
        else:
            self._load(self._chunk_start + self._position)
        return index, due

    def due_together(self, most: int) -> int:
        """The number of requests that are due at `next_due`, counted up to `most`."""
        chunk, start = self._chunk, self._position
        end = start
        while end < len(chunk) and end - start < most and chunk[end] == self.next_due:
            end += 1
        if end < len(chunk) or end - start == most:
            return end - start
        first = self._chunk_start + start
        return int((self._due[first : first + most] == self.next_due).sum())

    def _load(self, start: int) -> None:
        self._chunk = self._due[start : start + _CHUNK].tolist()
        self._chunk_start, self._position = start, 0
        self.next_due = self._chunk[0] if self._chunk else math.inf
