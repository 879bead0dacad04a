"""A server with known delays and failures, which the path of a request selects."""

import asyncio
import contextlib
import functools
import gzip
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import chain, cycle, repeat
from typing import TypeVar

from tests.support.streams import Connections
from tests.support.wait import HANG_SECONDS

PREDICTIONS = json.dumps({"predictions": [{"label": "stub", "probability": 1}]}).encode()

T = TypeVar("T")

_ENDS = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError)


@dataclass
class Received:
    """A received request, and when it was complete (seconds of `time.perf_counter`)."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes
    port: int
    """Of the client's end of the connection."""


@dataclass
class Stub:
    """`url` has no trailing slash. `/delay/0.2` responds after 0.2 s, `/held/a` after
    `release("a")`, `/together/20` when 20 requests are in flight, `/status/500` with a 500; `/plan`
    follows `plan`, one behaviour for each request; see `_BEHAVIOURS` for all."""

    url: str
    plan: Iterator[str] = field(default_factory=lambda: cycle(["delay/0"]))
    alias: str = "plan"
    metrics: str = ""
    """The content of `/metrics`; 404 if empty."""
    received: list[Received] = field(default_factory=list)
    close_listener: Callable[[], object] = lambda: None
    release: Callable[[str], object] = lambda _: None
    """Respond to the requests that wait for this name, and to later ones at once."""
    gates: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    """By name."""
    barriers: dict[int, asyncio.Barrier] = field(default_factory=dict)
    """By number of requests."""

    def follow(self, *plan: str, then: str = "") -> str:
        """Respond as `plan` says, one behaviour for each request: repeatedly, or once, with `then`
        for all later requests. Returns the URL."""
        self.plan = chain(plan, repeat(then)) if then else cycle(plan)
        return f"{self.url}/plan"


@contextlib.contextmanager
def serving_stub(tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def call(coroutine: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(HANG_SECONDS)

    server: list[asyncio.Server] = []
    stub = Stub("")
    connections = Connections(functools.partial(_serve, stub))

    async def start() -> None:
        server.append(
            await asyncio.start_server(
                connections.accept,
                *("127.0.0.1", 0),
                backlog=4096,
                limit=1 << 24,
                ssl=tls,
            )
        )

    async def release(name: str) -> None:
        stub.gates[name].set()

    call(start())
    scheme = "https" if tls else "http"
    host = "localhost" if tls else "127.0.0.1"
    stub.url = f"{scheme}://{host}:{server[0].sockets[0].getsockname()[1]}"
    stub.close_listener = lambda: call(connections.close_listener(server[0]))
    stub.release = lambda name: call(release(name))
    try:
        yield stub
    finally:
        try:
            call(connections.close(server[0]))
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _serve(stub: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(*_ENDS):
        while await _handle(stub, reader, writer):
            pass
    writer.close()


async def _handle(stub: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Handle one request. Returns whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1].partition("?")[0].removeprefix("/").removesuffix("/")
    headers = {
        name.lower(): value.strip() for name, _, value in (h.partition(":") for h in head[1:])
    }
    if path == "metrics":  # no part of the load
        writer.write(_response(stub.metrics.encode(), 200 if stub.metrics else 404))
        return headers.get("connection") != "close"
    if path == stub.alias:
        path = next(stub.plan)
    if path != "early":
        body = await reader.readexactly(int(headers["content-length"]))
        port = writer.get_extra_info("peername")[1]
        stub.received.append(Received(time.perf_counter(), path, headers, body, port))
    name, _, argument = path.partition("/")
    await _BEHAVIOURS[name](stub, writer, argument)
    return headers.get("connection") != "close"


def _response(body: bytes, status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} Any\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _delay(_: Stub, writer: asyncio.StreamWriter, seconds: str) -> None:
    await asyncio.sleep(float(seconds or 0))
    writer.write(_response(PREDICTIONS))


async def _held(stub: Stub, writer: asyncio.StreamWriter, name: str) -> None:
    await stub.gates[name].wait()
    writer.write(_response(PREDICTIONS))


async def _half(stub: Stub, writer: asyncio.StreamWriter, name: str) -> None:
    """Send half of the response at once, the rest after `release(name)`."""
    content = _response(PREDICTIONS)
    middle = len(content) // 2
    writer.write(content[:middle])
    await stub.gates[name].wait()
    writer.write(content[middle:])


async def _together(stub: Stub, writer: asyncio.StreamWriter, count: str) -> None:
    """Respond when `count` requests are in flight."""
    number = int(count)
    await stub.barriers.setdefault(number, asyncio.Barrier(number)).wait()
    writer.write(_response(PREDICTIONS))


async def _status(_: Stub, writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(_response(b'{"title": "no"}', int(status)))


async def _busy(_: Stub, writer: asyncio.StreamWriter, seconds: str) -> None:
    """Refuse for so many seconds."""
    head = f"HTTP/1.1 503 Any\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n"
    writer.write(head.encode())


async def _last(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    """Respond, and close the connection."""
    writer.write(_response(PREDICTIONS).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    await writer.drain()
    raise ConnectionError


async def _vanish(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    """Respond as if the connection stayed open, and close it."""
    writer.write(_response(PREDICTIONS))
    await writer.drain()
    raise ConnectionError


async def _coded(_: Stub, writer: asyncio.StreamWriter, coding: str) -> None:
    """Respond with a content coding that the client did not ask for."""
    coded = {"gzip": gzip.compress(PREDICTIONS), "deflate": zlib.compress(PREDICTIONS)}
    body = coded.get(coding, PREDICTIONS)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def _timed(_: Stub, writer: asyncio.StreamWriter, text: str) -> None:
    """Respond with this Server-Timing and an id."""
    head = f"HTTP/1.1 200 OK\r\nServer-Timing: {text}\r\nX-Request-ID: stub-1\r\n"
    head += f"Content-Length: {len(PREDICTIONS)}\r\n\r\n"
    writer.write(head.encode() + PREDICTIONS)


async def _json(_: Stub, writer: asyncio.StreamWriter, content: str) -> None:
    writer.write(_response(content.encode()))


async def _hang(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    await asyncio.sleep(3600)


async def _reset(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await asyncio.sleep(0.01)
    raise ConnectionError


async def _close(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    raise ConnectionError


async def _cut(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    writer.write(_response(PREDICTIONS)[:-10])
    await writer.drain()
    raise ConnectionError


async def _chunked(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in range(0, len(PREDICTIONS), 7):
        piece = PREDICTIONS[byte : byte + 7]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")


async def _until_close(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + PREDICTIONS)
    await writer.drain()
    raise ConnectionError


async def _garbage(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    writer.write(b"SSH-2.0-stub\r\n\r\n")


async def _early(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    """Respond before reading the body, and close."""
    writer.write(_response(b"", 413))
    await writer.drain()
    raise ConnectionError


async def _nested(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    """JSON that is nested too deeply for a parser."""
    writer.write(_response(b"[" * 100_000))


async def _endless(_: Stub, writer: asyncio.StreamWriter, __: str) -> None:
    """A body that never ends, as fast as the client reads it."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(1 << 20))
        await writer.drain()


_BEHAVIOURS: dict[str, Callable[[Stub, asyncio.StreamWriter, str], Awaitable[None]]] = {
    "": _delay,
    "delay": _delay,
    "status": _status,
    "busy": _busy,
    "last": _last,
    "vanish": _vanish,
    "coded": _coded,
    "timed": _timed,
    "json": _json,
    "held": _held,
    "half": _half,
    "together": _together,
    "hang": _hang,
    "reset": _reset,
    "close": _close,
    "cut": _cut,
    "chunked": _chunked,
    "until-close": _until_close,
    "garbage": _garbage,
    "nested": _nested,
    "endless": _endless,
    "early": _early,
}
