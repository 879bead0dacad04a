"""Reading from connections: in a crowd, no more than the head of a request."""

import asyncio
from collections.abc import Callable
from typing import Final

_HEAD_BYTES: Final = 8 * 1024
"""More than the heads of browsers, cookies included"""

_memory: Final = memoryview(bytearray(256 * 1024))
"""What is read next, of all connections; as large as uvloop's own buffer"""

_head_memory: Final = _memory[:_HEAD_BYTES]


class Reader(asyncio.BufferedProtocol):
    """Reads for `protocol`, which alone cannot choose how much: an `asyncio.Protocol` gets all that
    has arrived, up to 256 kB, and keeps it while its request waits."""

    def __init__(self, protocol: asyncio.Protocol, reads_little: Callable[[], bool]) -> None:
        self._protocol = protocol
        self._reads_little = reads_little
        self.eof_received = protocol.eof_received  # type: ignore[method-assign]
        self.connection_lost = protocol.connection_lost  # type: ignore[method-assign]
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        return _head_memory if self._reads_little() else _memory

    def buffer_updated(self, nbytes: int) -> None:
        self._protocol.data_received(bytes(_memory[:nbytes]))
