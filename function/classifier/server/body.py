"""Request bodies: read within a memory budget, and discarded where a connection closes."""

import asyncio
from contextlib import suppress
from typing import Final, Self

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from classifier.errors import TooManyUploads
from classifier.images import MemoryBudget

_DISCARD_SECONDS: Final = 5.0
"""As long as uvicorn keeps an idle connection"""


class BodyStream:
    """The chunks of one body. Its bytes count against the memory budget until `release`."""

    def __init__(self, receive: Receive, budget: MemoryBudget) -> None:
        self._receive = receive
        self._budget = budget
        self._complete = False
        self.size = 0
        """Bytes taken from the budget"""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Raises `ClientDisconnect` and `TooManyUploads`."""
        while not self._complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._complete = not message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            if chunk:
                self.take(len(chunk))
                return chunk
        raise StopAsyncIteration

    def take(self, size: int) -> None:
        """Count `size` more bytes as this request's. Raises `TooManyUploads`."""
        self._budget.take_body(size)
        self.size += size

    def expect(self, size: int) -> None:
        """Refuse a body of `size` bytes for which there is no memory now, before any of it is read.
        Raises `TooManyUploads`."""
        if not self._budget.has_room(size):
            raise TooManyUploads

    def release(self) -> None:
        self._budget.give_back_body(self.size)


class UnreadBody:
    """The part of a body that nothing has read, of a request that closes its connection.

    Closing a connection with unread data resets it, and the client may never see the response.
    Where the connection stays open, the server itself reads on.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = message.get("more_body", False)
        return message

    async def discard(self, limit: int) -> None:
        """Read the rest, at most `limit` bytes and for a few seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while self._more and limit > 0:
                    limit -= len((await self.receive()).get("body", b""))
