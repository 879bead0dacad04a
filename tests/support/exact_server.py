"""A server whose delays follow a queueing model exactly, to compare with what a client measures.

    python -m tests.support.exact_server '{"servers": 3, "seconds": [0.02, 0.05], "frozen": false}'

prints its port. Request k, in the order of arrival, takes `seconds[k % len(seconds)]` of the first
of `servers` that is free, and is answered then. A frozen server does nothing for the last 3 of
every 10 seconds from the first request on, and otherwise answers each request after its time.
"""

import heapq
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.support.paths import ROOT

CYCLE_SECONDS: Final = 10.0
FROZEN_SECONDS: Final = 3.0

_BODY: Final = b'{"predictions": [{"label": "exact", "probability": 1}]}'
_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Model:
    """What the server does."""

    seconds: list[float]
    """The service times, in turn."""
    servers: int = 1
    frozen: bool = False


@dataclass
class Queue:
    """The state of a model: Lindley's recursion for several servers (Kiefer and Wolfowitz, On the
    theory of queues with many servers, 1955)."""

    model: Model
    count: int = 0
    first: float = 0.0
    """The first arrival."""
    free: list[float] = field(default_factory=list)
    """A heap: when each server is free."""

    def departure(self, arrival: float) -> float:
        """When the next request, which arrives at `arrival`, is answered. In seconds; arrivals
        must ascend."""
        seconds = self.model.seconds[self.count % len(self.model.seconds)]
        if not self.count:
            self.first = arrival
            self.free = [arrival] * self.model.servers
        self.count += 1
        if self.model.frozen:
            phase = (arrival - self.first) % CYCLE_SECONDS
            frozen = phase >= CYCLE_SECONDS - FROZEN_SECONDS
            return arrival + seconds + (CYCLE_SECONDS - phase if frozen else 0.0)
        done = max(arrival, self.free[0]) + seconds
        heapq.heapreplace(self.free, done)
        return done


def true_latencies(model: Model, due: Iterable[float]) -> NDArray[np.float64]:
    """The seconds that requests take which arrive exactly when they are due."""
    queue = Queue(model)
    return np.array([queue.departure(arrival) - arrival for arrival in due])


@contextmanager
def exact_server(model: Model) -> Iterator[str]:
    """The URL of a running server."""
    command = (sys.executable, "-m", "tests.support.exact_server", json.dumps(asdict(model)))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


class Server:
    """One thread: it reads requests, and answers each when its time has come."""

    def __init__(self, model: Model) -> None:
        self._queue = Queue(model)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self._reading: dict[socket.socket, bytearray] = {}
        self._answers: list[tuple[float, int, socket.socket]] = []
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            waits = max(0.0, self._answers[0][0] - time.perf_counter()) if self._answers else None
            ready, _, _ = select.select([self._listener, *self._reading], (), (), waits)
            for sock in ready:
                if sock is self._listener:
                    self._accept()
                else:
                    self._read(sock)
            while self._answers and self._answers[0][0] <= time.perf_counter():
                _, _, sock = heapq.heappop(self._answers)
                with sock:
                    sock.sendall(_RESPONSE)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        self._reading[sock] = bytearray()

    def _read(self, sock: socket.socket) -> None:
        data = sock.recv(1 << 20)
        received = self._reading[sock]
        received += data
        if data and not _is_complete(received):
            return
        del self._reading[sock]
        if not data:
            sock.close()  # a probe
            return
        if received.startswith(b"GET "):  # of /metrics
            with sock:
                sock.sendall(_NOT_FOUND)
            return
        done = self._queue.departure(time.perf_counter())
        heapq.heappush(self._answers, (done, self._queue.count, sock))


def _is_complete(received: bytearray) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)


def main(arguments: Sequence[str]) -> None:
    server = Server(Model(**json.loads(arguments[0])))
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
