"""Requests' bodies as they come in: no more of them in memory than there is room for."""

import asyncio
from contextlib import suppress
from typing import Final, Self

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from classifier.server.pool import Busy

_LINGER_SECONDS: Final = 5.0
"""As long as uvicorn keeps a connection that nobody uses."""


class Bodies:
    """How much is held of all bodies together."""

    def __init__(self, room: int) -> None:
        """`room` is the number of bytes that may be held."""
        self._room: Final = room
        self._held = 0

    def hold(self, size: int) -> None:
        """`size` bytes more are held, or fewer where it is negative. Raises `Busy`."""
        self._held += size
        if size > 0 and self._held > self._room:
            raise Busy("Other requests' bodies fill the memory that bodies may take")


class Body:
    """The body of one request, chunk by chunk, held from when it arrives until `release`."""

    def __init__(self, receive: Receive, bodies: Bodies) -> None:
        self._receive = receive
        self._bodies = bodies
        self._complete = False
        self.size = 0
        """Bytes that are held."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Raises `ClientDisconnect`, and `Busy` where there is no room."""
        while not self._complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._complete = not message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            if chunk:
                self.hold(len(chunk))
                return chunk
        raise StopAsyncIteration

    def hold(self, size: int) -> None:
        """`size` bytes more belong to this request. Raises `Busy`."""
        self.size += size
        self._bodies.hold(size)

    def release(self) -> None:
        self._bodies.hold(-self.size)


class Unread:
    """What a request that ends its connection has not sent yet, or nobody has read.

    To close a connection with something unread in it resets it, and the client may never see the
    answer. Where the connection stays, the server reads on by itself.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = message.get("more_body", False)
        return message

    async def discard(self, most: int) -> None:
        """Read the rest, but for no more than `most` bytes and a few seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while self._more and most > 0:
                    most -= len((await self.receive()).get("body", b""))
