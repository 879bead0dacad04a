"""Closing a connection before the request has arrived completely (RFC 9112, section 9.6).

A socket that is closed with unread data resets the connection, and the client may lose the
response. So the service closes its side first, and reads on until the client closes its side.
"""

import asyncio
from typing import Any, Final, Protocol

DRAIN_SECONDS: Final = 5.0
"""The longest time that a connection is read after its last response"""

_discarded: Final = bytearray(256 * 1024)
"""Holds what is read and not used, for all connections"""


class StagedProtocol(Protocol):
    """What `StagedTransport` needs of a protocol."""

    @property
    def has_unread_body(self) -> bool: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


class StagedTransport:
    """The transport of `protocol`, whose `close` goes in stages while a body is unread."""

    def __init__(self, transport: asyncio.Transport, protocol: StagedProtocol) -> None:
        self._transport = transport
        self._protocol: StagedProtocol | None = protocol
        self._closes = False
        self.write = transport.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closes or self._transport.is_closing()

    def close(self) -> None:
        """End the responses, and close the connection when the client has closed its side."""
        transport, protocol = self._transport, self._protocol
        # Connections with TLS have no half-closed state.
        if (
            self._closes
            or not protocol
            or not protocol.has_unread_body
            or (not transport.can_write_eof())
        ):
            transport.close()
            return
        self._closes = True
        transport.write_eof()
        transport.set_protocol(_Drain(transport, protocol))
        transport.resume_reading()

    def forget(self) -> None:
        """The connection is lost: end the reference to the protocol, which refers to this."""
        self._protocol = None


class _Drain(asyncio.BufferedProtocol):
    """Reads and discards, until the connection is lost; then `protocol` is called."""

    def __init__(self, transport: asyncio.Transport, protocol: StagedProtocol) -> None:
        self._protocol = protocol
        self._timer = asyncio.get_running_loop().call_later(DRAIN_SECONDS, transport.abort)

    def get_buffer(self, sizehint: int) -> bytearray:
        return _discarded

    def buffer_updated(self, nbytes: int) -> None:
        """Nothing is kept."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._protocol.connection_lost(exc)
