"""The connections of a server of asyncio's streams: none of them outlives the server."""

import asyncio
from collections.abc import Callable, Coroutine

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[object, object, None]]


class Connections:
    """`accept` is the callback of `asyncio.start_server`. `handle` is called for each connection,
    and starts its tasks with `start`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle a connection, in a task."""
        self._writers.append(writer)
        self.start(self._handle(reader, writer))

    async def open(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a port of the loopback interface. The connection ends with the others."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers.append(writer)
        return reader, writer

    def start(self, coroutine: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """A task that ends with the connections."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        return task

    async def close_listener(self, server: asyncio.Server) -> None:
        """Accept no more connections."""
        # Otherwise connections that the loop is still accepting would stay open.
        while accepting := asyncio.all_tasks() - {asyncio.current_task()} - self._tasks:
            await asyncio.wait(accepting)
        server.close()

    async def close(self, server: asyncio.Server) -> None:
        """End all connections. All other tasks of the loop must have ended."""
        await self.close_listener(server)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # transports close in the next iteration
