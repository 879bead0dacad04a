"""A file that is read in parts, without a copy of the whole."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Parts = tuple[bytes | memoryview, ...]


def open_parts(parts: Parts) -> io.BufferedReader:
    """The parts, one after the other, as a file. Keeps references to them, not copies."""
    return io.BufferedReader(_Parts(parts))


class _Parts(io.RawIOBase):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        number = bisect_right(self._ends, self._position)
        if number == len(self._parts):
            return 0
        part = memoryview(self._parts[number])
        start = len(part) - (self._ends[number] - self._position)
        target = memoryview(buffer).cast("B")
        length = min(len(target), len(part) - start)
        target[:length] = part[start : start + length]
        self._position += length
        return length
