"""The messages between the engine and its senders, over a pair of sockets.

Not `multiprocessing.Pipe`: it blocks until a message is complete, and neither side may wait for
the other: a sender would be late, and the engine would not stop.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final

READY: Final = b"R"
"""From the sender: it can start."""
START: Final = b"G"
"""To the sender: the start of the run, 8 bytes, a double: seconds of `time.perf_counter`."""
STOP: Final = b"S"
"""To the sender: end now."""
KIND: Final = b"K"
"""From the sender: the name of its next kind of failure (UTF-8)."""
RECORDS: Final = b"D"
"""From the sender: an array of `RECORD`."""
END: Final = b"E"
"""From the sender: all is sent; 8 bytes, a double: its peak of resident memory in MB."""

DOUBLE: Final = struct.Struct("d")

_HEAD: Final = struct.Struct("cI")
"""The kind of message, and the number of bytes that follow."""

_RECEIVE_BYTES: Final = 256 * 1024


class Closed(Exception):
    """The other side has closed the channel, or its process has ended."""


class Channel:
    """One end. Neither `send` nor `receive` waits."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._received = bytearray()
        self._unsent = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: bytes, content: bytes | bytearray = b"") -> None:
        """Send a message: at once as much as the system takes, the rest with later calls."""
        self._unsent += _HEAD.pack(kind, len(content))
        self._unsent += content
        self.push()

    def push(self) -> None:
        """Send what the system takes now of the rest."""
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                sent = self._socket.send(memoryview(self._unsent)[:_RECEIVE_BYTES])
                del self._unsent[:sent]

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def flush(self) -> None:
        """Send the rest, and wait until it is sent."""
        self._socket.setblocking(True)
        self._socket.sendall(self._unsent)

    def receive(self) -> Iterator[tuple[bytes, bytes]]:
        """The messages that have arrived: kind and content. Raises `Closed`."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise Closed
        self._received += data
        start = 0
        while len(self._received) >= start + _HEAD.size:
            kind, size = _HEAD.unpack_from(self._received, start)
            end = start + _HEAD.size + size
            if len(self._received) < end:
                break
            yield kind, bytes(self._received[start + _HEAD.size : end])
            start = end
        del self._received[:start]

    def close(self) -> None:
        self._socket.close()


def channel_pair() -> tuple[Channel, Channel]:
    """Both ends of a new channel. Raises `OSError`."""
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)
