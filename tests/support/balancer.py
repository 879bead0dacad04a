"""A load balancer that follows /readyz, for tests of restarts.

It gives each new connection to the next instance that is ready, and never tries another one: where
a real balancer hides an error by a second try, here the client sees it.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Final

from tests.support.raw import get
from tests.support.streams import Connections
from tests.support.wait import HANG_SECONDS

POLL_SECONDS: Final = 0.1
"""Between two probes of an instance. Balancers take seconds: this one is quick, and a test too."""

_FAILURES: Final = 3
"""An instance is left after so many failed probes, as usual (Kubernetes' failureThreshold)."""

_PROBE: Final = get("/readyz", "Connection: close")


class Balancer:
    """Balances over `ports` of the loopback interface. The methods may be called from any thread;
    what they return was true a moment ago."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.url = ""
        self._ports = ports
        self._ready: set[int] = set()
        self._open: Counter[int] = Counter()
        self._turn = 0
        self._connections = Connections(self._relay)

    def is_ready(self, port: int) -> bool:
        """Whether new connections may go to this instance."""
        return port in self._ready

    def connections(self, port: int) -> int:
        """The number of connections to this instance."""
        return self._open[port]

    async def run(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Serve until `stop`; `started` is set when `url` is known."""
        server = await asyncio.start_server(self._connections.accept, "127.0.0.1", 0)
        probes = [asyncio.create_task(self._watch(port)) for port in self._ports]
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await stop.wait()
        for probe in probes:
            probe.cancel()
        await asyncio.wait(probes)
        await self._connections.close(server)

    async def _watch(self, port: int) -> None:
        failures = 0
        while True:
            if await _is_ready(port):
                failures = 0
                self._ready.add(port)
            else:
                failures += 1
                if failures >= _FAILURES:
                    self._ready.discard(port)
            await asyncio.sleep(POLL_SECONDS)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [port for port in self._ports if port in self._ready]
        if not ready:
            writer.close()
            return
        self._turn += 1
        port = ready[self._turn % len(ready)]
        self._open[port] += 1
        try:
            answer, request = await self._connections.open(port)
            with closing(request):
                copies = [_copy(reader, request), _copy(answer, writer)]
                await asyncio.gather(*map(self._connections.start, copies))
        except OSError:
            writer.close()
        finally:
            self._open[port] -= 1


@contextmanager
def balancing(ports: Sequence[int]) -> Iterator[Balancer]:
    """A running balancer, in a thread."""
    balancer = Balancer(ports)
    started, stop = threading.Event(), asyncio.Event()
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=runner.run, args=(balancer.run(started, stop),))
        thread.start()
        try:
            assert started.wait(HANG_SECONDS)
            yield balancer
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(_PROBE)
            received = await reader.read()
    except OSError:
        return False
    return received.startswith(b"HTTP/1.1 200 ")


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until the source ends; then so does the target, as its client or server sees it."""
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
