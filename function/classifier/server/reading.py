"""Reading from connections, with as large a buffer as the moment allows."""

import asyncio
from collections.abc import Callable
from typing import Final

HEAD_BYTES: Final = 8 * 1024
"""More than the heads of browsers, cookies included"""

BODY_BYTES: Final = 256 * 1024
"""As large as uvloop's own buffer. What is read is in memory twice, until the application counts
it."""

LARGE_BODY_BYTES: Final = 1024 * 1024
"""With this buffer, the event loop takes 0.8 of the time for a photo of 4 MB."""

_memory: Final = memoryview(bytearray(LARGE_BODY_BYTES))
"""What is read next, of all connections"""


class Reader(asyncio.BufferedProtocol):
    """Reads for `protocol`, which alone cannot choose how much: an `asyncio.Protocol` gets all that
    has arrived, up to 256 kB, and keeps it while its request waits."""

    def __init__(self, protocol: asyncio.Protocol, size: Callable[[], int]) -> None:
        """`size` returns the most bytes to read next."""
        self._protocol = protocol
        self._size = size
        self.eof_received = protocol.eof_received  # type: ignore[method-assign]
        self.connection_lost = protocol.connection_lost  # type: ignore[method-assign]
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        return _memory[: self._size()]

    def buffer_updated(self, nbytes: int) -> None:
        self._protocol.data_received(_memory[:nbytes])  # type: ignore[arg-type]
