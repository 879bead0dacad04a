"""Request bodies, read within a memory budget, and not too slowly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from classifier.errors import ServiceError
from classifier.images import MemoryBudget
from classifier.server.buffers import BodyBuffers
from classifier.server.pace import Pace


class BodyStream:
    """The chunks of one body. Its bytes count against the memory budget until `release`."""

    def __init__(self, receive: Receive, budget: MemoryBudget, buffers: BodyBuffers) -> None:
        self._receive = receive
        self._budget = budget
        self._buffers = buffers
        self._taken: list[BytesIO] = []
        self._complete = False
        self._pace: Pace | None = None
        self.size = 0
        """Bytes taken from the budget, and held"""

    @asynccontextmanager
    async def paced(self, seconds: float) -> AsyncIterator[None]:
        """Reading within this context is bounded by `Pace`. Raises `BodyTimeout` and
        `TooManyUploads`."""
        refusal: ServiceError | None = None

        def refuse(error: ServiceError) -> None:
            nonlocal refusal
            refusal = error
            timeout.reschedule(0)  # now

        try:
            async with asyncio.timeout(None) as timeout:
                self._pace = Pace(seconds, refuse, self._budget.has_many_bodies)
                try:
                    yield
                finally:
                    self._pace.stop()
                    self._pace = None
        except TimeoutError:
            if not refusal:
                raise
            try:
                raise refusal from None
            finally:
                refusal = None  # the traceback refers to this frame

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
                if self._pace:
                    self._pace.add(len(chunk))
                return chunk
        raise StopAsyncIteration

    def take(self, size: int) -> None:
        """Count `size` more bytes as this request's. Raises `TooManyUploads`."""
        self._budget.take_body(size)
        self.size += size

    def give_back(self, size: int) -> None:
        """`size` bytes of the chunks are no longer held: they have been decoded."""
        self._budget.give_back_body(size)
        self.size -= size

    def buffer(self, expected: int) -> BytesIO:
        """A buffer for about `expected` bytes; see `BodyBuffers.take`. It is valid until
        `release`."""
        buffer = self._buffers.take(expected)
        self._taken.append(buffer)
        return buffer

    def release(self) -> None:
        """The images have been classified, or the request has failed."""
        for buffer in self._taken:
            self._buffers.give_back(buffer)
        self._budget.give_back_body(self.size)
