"""A server whose responses leave when those of a simulated queue would.

    python -m tests.support.queue_server 0    the first of `QUEUES`; prints its port

Departures are computed from arrivals with Lindley's recursion, so that a pause of this process
delays responses but does not change the capacity.
"""

import asyncio
import heapq
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from tests.support.paths import ROOT
from tests.support.queues import QUEUES, Queue
from tests.support.stub import PREDICTIONS

_DRAWN: Final = 10_000
_RESPONSE: Final = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(PREDICTIONS)
) + PREDICTIONS


@contextmanager
def serving_queue(number: int) -> Iterator[str]:
    """The URL of a server, in a process of its own, with the queue `QUEUES[number]`."""
    command = (sys.executable, "-m", "tests.support.queue_server", str(number))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


class _Servers:
    def __init__(self, queue: Queue) -> None:
        self._free = [0.0] * queue.servers
        self._queue = queue
        self._random = np.random.default_rng()
        self._service: list[float] = []

    def departure(self, arrived: float) -> float:
        """When a request that arrives now leaves."""
        if not self._service:
            self._service = self._queue.draw(self._random, _DRAWN).tolist()
        leaves = max(arrived, self._free[0]) + self._service.pop()
        heapq.heapreplace(self._free, leaves)
        return leaves


class _Connection(asyncio.Protocol):
    """One request, and its response when it is due. Only what the load client sends is read: a head
    with Content-Length, and a body."""

    def __init__(self, servers: _Servers, loop: asyncio.AbstractEventLoop) -> None:
        self._servers = servers
        self._loop = loop
        self._received = bytearray()
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._needed:
            head, end, _ = bytes(self._received).partition(b"\r\n\r\n")
            if not end:
                return
            (length,) = (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            self._needed = len(head) + len(end) + length
        if len(self._received) == self._needed:
            now = time.monotonic()
            self._loop.call_later(self._servers.departure(now) - now, self._respond)

    def _respond(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_RESPONSE)
            self._transport.close()


async def _serve(queue: Queue) -> None:
    loop = asyncio.get_running_loop()
    servers = _Servers(queue)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = await loop.create_server(lambda: _Connection(servers, loop), sock=listener)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(QUEUES[int(sys.argv[1])]))
