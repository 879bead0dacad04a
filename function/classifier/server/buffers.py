"""Memory of large request bodies, used again.

The system clears memory that is new to the process page by page, when it is first written to. For
a photo of 4 MB that was half of the event loop's time (2.4 of 5.1 ms).
"""

from collections import deque
from io import BytesIO
from typing import Final

LARGE_BYTES: Final = 2 << 20
"""Zeroed memory of this size and more comes from the system, which gives it page by page. See
`M_MMAP_THRESHOLD` in `classifier.images.pillow`. Smaller memory comes from the allocator, which
uses it again."""


class BodyBuffers:
    """Buffers for bodies. Those of finished requests are kept, up to `limit` bytes together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: deque[BytesIO] = deque()
        """The last one was used last: it may be in the processor's caches."""
        self._bytes = 0

    def take(self, expected: int) -> BytesIO:
        """A buffer for about `expected` bytes, at position 0: what it holds behind the position is
        from an earlier body, so truncate it after the last write. A large buffer has room from the
        start, and is not copied while it grows; memory is taken as it is written to."""
        if expected < LARGE_BYTES:
            return BytesIO()
        if not self._kept:
            return BytesIO(bytes(expected))
        buffer = self._kept.pop()
        self._bytes -= _size(buffer)
        return buffer

    def give_back(self, buffer: BytesIO) -> None:
        """The request has finished. What `getvalue` has returned stays as it is."""
        size = _size(buffer)
        if not LARGE_BYTES <= size <= self._limit:
            return
        buffer.seek(0)
        self._kept.append(buffer)
        self._bytes += size
        while self._bytes > self._limit:
            self._bytes -= _size(self._kept.popleft())


def _size(buffer: BytesIO) -> int:
    with buffer.getbuffer() as view:
        return view.nbytes
