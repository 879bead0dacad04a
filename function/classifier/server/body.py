"""Request bodies, read within a memory budget."""

from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from classifier.images import MemoryBudget


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

    def release(self) -> None:
        self._budget.give_back_body(self.size)
