"""A server whose delays and failures are known exactly: the path of a request says what it gets."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

PREDICTIONS = json.dumps({"predictions": [{"label": "stub", "probability": 1}]}).encode()
SLOW_PIECES = 5

_ENDS = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError)


@dataclass
class Received:
    """A request as it came: when it was complete (seconds of `time.perf_counter`), and what."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Stub:
    """`url` ends without a slash. `/delay/0.2` answers after 0.2 s, `/status/500` with a 500,
    `/plan` does what `plan` says, in turn; see `_BEHAVIOURS` for all."""

    url: str
    plan: Iterator[str] = field(default_factory=lambda: cycle(["delay/0"]))
    alias: str = "plan"
    received: list[Received] = field(default_factory=list)
    close_listener: Callable[[], object] = lambda: None

    def follow(self, *plan: str) -> str:
        """The URL at which requests get each of `plan` in turn."""
        self.plan = cycle(plan)
        return f"{self.url}/plan"


@contextlib.contextmanager
def serving_stub(tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def call(what: Awaitable[object]) -> object:
        async def run() -> object:
            return await what

        return asyncio.run_coroutine_threadsafe(run(), loop).result(10)

    server: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []
    serving: set[asyncio.Task[None]] = set()
    stub = Stub("")

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        serving.add(loop.create_task(_serve(stub, reader, writer)))

    async def start() -> None:
        server.append(
            await asyncio.start_server(
                serve,
                *("127.0.0.1", 0),
                backlog=4096,
                limit=1 << 24,
                ssl=tls,
            )
        )

    async def close_listener() -> None:
        # A connection that the loop has accepted and not yet handed over needs its server: without
        # it, it is left open.
        while accepting := asyncio.all_tasks() - {asyncio.current_task()} - serving:
            await asyncio.wait(accepting)
        server[0].close()

    async def stop() -> None:
        await close_listener()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # transports close in the turn after

    call(start())
    scheme = "https" if tls else "http"
    host = "localhost" if tls else "127.0.0.1"
    stub.url = f"{scheme}://{host}:{server[0].sockets[0].getsockname()[1]}"
    stub.close_listener = lambda: call(close_listener())
    try:
        yield stub
    finally:
        call(stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(stub: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(*_ENDS):
        while await _exchange(stub, reader, writer):
            pass
    writer.close()


async def _exchange(stub: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection goes on."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1].partition("?")[0].strip("/")
    headers = {
        name.lower(): value.strip() for name, _, value in (h.partition(":") for h in head[1:])
    }
    if path == stub.alias:
        path = next(stub.plan)
    if path != "early":
        body = await reader.readexactly(int(headers["content-length"]))
        stub.received.append(Received(time.perf_counter(), path, headers, body))
    name, _, argument = path.partition("/")
    await _BEHAVIOURS[name](writer, argument)
    return headers.get("connection") != "close"


def _answer(body: bytes, status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} Any\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _delay(writer: asyncio.StreamWriter, seconds: str) -> None:
    await asyncio.sleep(float(seconds or 0))
    writer.write(_answer(PREDICTIONS))


async def _queue(writer: asyncio.StreamWriter, seconds: str) -> None:
    """One request after the other takes so long: the n-th of a wave waits n times as long."""
    now = time.perf_counter()
    free = _queue_free_at[0] = max(now, _queue_free_at[0]) + float(seconds)
    await asyncio.sleep(free - now)
    writer.write(_answer(PREDICTIONS))


_queue_free_at = [0.0]


async def _status(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(_answer(b'{"title": "no"}', int(status)))


async def _json(writer: asyncio.StreamWriter, content: str) -> None:
    writer.write(_answer(content.encode()))


async def _hang(writer: asyncio.StreamWriter, _: str) -> None:
    await asyncio.sleep(3600)


async def _reset(writer: asyncio.StreamWriter, _: str) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await asyncio.sleep(0.01)
    raise ConnectionError


async def _close(writer: asyncio.StreamWriter, _: str) -> None:
    raise ConnectionError


async def _cut(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(_answer(PREDICTIONS)[:-10])
    await writer.drain()
    raise ConnectionError


async def _slow(writer: asyncio.StreamWriter, seconds: str) -> None:
    """The body comes in pieces, the last of them `seconds` after the request."""
    content = _answer(PREDICTIONS)
    size = -(-len(content) // SLOW_PIECES)
    for start in range(0, len(content), size):
        await asyncio.sleep(float(seconds) / SLOW_PIECES)
        writer.write(content[start : start + size])


async def _chunked(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in range(0, len(PREDICTIONS), 7):
        piece = PREDICTIONS[byte : byte + 7]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")


async def _until_close(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + PREDICTIONS)
    await writer.drain()
    raise ConnectionError


async def _garbage(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"SSH-2.0-stub\r\n\r\n")


async def _early(writer: asyncio.StreamWriter, _: str) -> None:
    """Answers before it has read the body, and closes."""
    writer.write(_answer(b"", 413))
    await writer.drain()
    raise ConnectionError


_BEHAVIOURS: dict[str, Callable[[asyncio.StreamWriter, str], Awaitable[None]]] = {
    "": _delay,
    "delay": _delay,
    "status": _status,
    "json": _json,
    "queue": _queue,
    "hang": _hang,
    "reset": _reset,
    "close": _close,
    "cut": _cut,
    "slow": _slow,
    "chunked": _chunked,
    "until-close": _until_close,
    "garbage": _garbage,
    "early": _early,
}
