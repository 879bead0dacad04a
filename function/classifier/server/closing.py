"""Closing a connection before the request has arrived completely (RFC 9112, section 9.6).

A socket that is closed with unread data resets the connection, and the client may lose the
response: many clients read it only after they have sent everything. So the service closes its side
first, and reads on until the client closes its side. Reading is bounded by time alone, not by size.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from classifier.errors import ServiceError
from classifier.server.pace import Pace

DRAIN_SECONDS: Final = 900
"""The longest time that a connection is read after its last response: 100 MiB arrive in it at
1 Mbit/s."""

SHUTDOWN_SECONDS: Final = 5
"""The same while the server shuts down"""

DRAIN_PAUSE_SECONDS: Final = 10
"""The longest pause while it is read; see `Pace`. TCP sends a lost packet again five times
within it."""

DRAIN_BYTES_PER_SECOND: Final = 150_000_000
"""Of all connections of the process together: a tenth of a core (reading 100 MiB takes 0.07 s). A
client alone is slowed only on a line of more than 1 Gbit/s."""

SMALL_BODY_BYTES: Final = 256 * 1024
"""After an early response, such a body is read so that the connection can be used again; opening
another one costs more. The connection closes instead of reading a larger body."""

_BURST_SECONDS: Final = 0.05
"""Reading may be so far ahead of the rate."""

_discarded: Final = bytearray(128 * 1024)
"""Holds what is read and not used, for all connections"""


def is_small_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request with `headers` declares a body of at most `SMALL_BODY_BYTES`."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) <= SMALL_BODY_BYTES  # the parser has checked that it is a number
    return False


class StagedProtocol(Protocol):
    """What `StagedTransport` needs of a protocol."""

    @property
    def is_receiving(self) -> bool:
        """Whether a request has not arrived completely."""

    def connection_lost(self, exc: Exception | None) -> None: ...


class StagedTransport:
    """The transport of `protocol`, whose `close` goes in stages while a request arrives."""

    def __init__(self, transport: asyncio.Transport, protocol: StagedProtocol) -> None:
        self._transport = transport
        self._protocol: StagedProtocol | None = protocol
        self._closes = False
        self._seconds = DRAIN_SECONDS
        self._drain: _Drain | None = None
        self.write = transport.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closes or self._transport.is_closing()

    def close(self) -> None:
        """End the responses, and close the connection when the client has closed its side."""
        transport, protocol = self._transport, self._protocol
        if self._closes:
            return
        if transport.is_closing() or not protocol or not protocol.is_receiving:
            transport.close()
            return
        self._closes = True
        if transport.can_write_eof():
            transport.write_eof()
        # With TLS a side cannot be closed alone: the response has told the client to close.
        self._drain = _Drain(transport, protocol, self._seconds)
        transport.set_protocol(self._drain)
        transport.resume_reading()

    def hurry(self) -> None:
        """The server shuts down: wait for the client for `SHUTDOWN_SECONDS` only."""
        self._seconds = SHUTDOWN_SECONDS
        if self._drain:
            self._drain.end_after(SHUTDOWN_SECONDS)

    def forget(self) -> None:
        """The connection is lost: end the reference to the protocol, which refers to this."""
        self._protocol = self._drain = None


class Rate:
    """Spreads work over time, so that it does not exceed a rate for long."""

    def __init__(
        self,
        per_second: float,
        burst_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst_seconds
        self._due = 0.0
        """When the work so far would be done at this rate"""

    def delay(self, amount: float) -> float:
        """Count `amount` as done. Returns the seconds to wait before more is done, often 0."""
        now = self._clock()
        self._due = max(self._due, now) + amount / self._per_second
        return max(0.0, self._due - now - self._burst)


_rate: Final = Rate(DRAIN_BYTES_PER_SECOND, _BURST_SECONDS)


class _Drain(asyncio.BufferedProtocol):
    """Reads and discards, until the connection is lost; then `protocol` is called."""

    def __init__(
        self, transport: asyncio.Transport, protocol: StagedProtocol, seconds: float
    ) -> None:
        self._transport = transport
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.call_later(seconds, transport.abort)
        self._resume: asyncio.TimerHandle | None = None
        self._pace = Pace(DRAIN_PAUSE_SECONDS, self._on_slow)

    def end_after(self, seconds: float) -> None:
        """Read for `seconds` more."""
        self._end.cancel()
        self._end = self._loop.call_later(seconds, self._transport.abort)

    def get_buffer(self, sizehint: int) -> bytearray:
        return _discarded

    def buffer_updated(self, nbytes: int) -> None:
        """Nothing is kept."""
        self._pace.add(nbytes)
        delay = _rate.delay(nbytes)
        if delay:
            self._transport.pause_reading()
            self._resume = self._loop.call_later(delay, self._transport.resume_reading)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self._pace.stop()
        if self._resume:
            self._resume.cancel()
        self._protocol.connection_lost(exc)

    def _on_slow(self, _: ServiceError) -> None:
        self._transport.abort()
