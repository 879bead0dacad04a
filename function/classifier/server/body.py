"""Request bodies, read within a memory budget."""

from io import BytesIO
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from classifier.images import MemoryBudget
from classifier.server.buffers import BodyBuffers


class BodyStream:
    """The chunks of one body. Its bytes count against the memory budget until `release`."""

    def __init__(self, receive: Receive, budget: MemoryBudget, buffers: BodyBuffers) -> None:
        self._receive = receive
        self._budget = budget
        self._buffers = buffers
        self._taken: list[BytesIO] = []
        self._complete = False
        self.size = 0
        """Bytes taken from the budget, and held"""

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
