"""Requests that come at their time, whatever became of those before."""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Final

import httpx
import psutil

TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Reply:
    """One request's end. `seconds` counts from when it was due; `status` is 0 where the connection
    failed, and `text` then says how."""

    status: int
    seconds: float
    text: str


async def request(url: str, head: bytes, body: bytes, due: float) -> Reply:
    """One request on a connection of its own, sent whole before the answer is read."""
    address = httpx.URL(url)

    async def exchange() -> bytes:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        try:
            writer.write(head + body)
            await writer.drain()
            received = await reader.readuntil(b"\r\n\r\n")
            length = int(received.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return received + await reader.readexactly(length)
        finally:
            writer.close()

    try:
        received = await asyncio.wait_for(exchange(), TIMEOUT)
    except (OSError, EOFError, TimeoutError, IndexError) as error:
        return Reply(0, time.monotonic() - due, repr(error))
    status = int(received.split(b" ", 2)[1])
    return Reply(status, time.monotonic() - due, received.decode("latin-1"))


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: service", "Content-Type: image/png", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, f"Content-Length: {len(body)}", ""]).encode()


async def open_loop(url: str, body: bytes, rate: float, seconds: float) -> list[Reply]:
    """`rate` requests a second for `seconds`; every second one wants its connection closed."""
    heads = [post(body), post(body, "Connection: close")]
    start = time.monotonic()
    tasks = []
    for number in range(int(rate * seconds)):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(request(url, heads[number % 2], body, due)))
    return list(await asyncio.gather(*tasks))


async def one_by_one(url: str, body: bytes, count: int) -> list[Reply]:
    return [await request(url, post(body), body, time.monotonic()) for _ in range(count)]


async def watch(url: str, path: str, until: asyncio.Event) -> list[Reply]:
    """GET `path` five times a second."""
    head = f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode()
    replies = []
    while not until.is_set():
        replies.append(await request(url, head, b"", time.monotonic()))
        await asyncio.sleep(0.2)
    return replies


async def watch_memory(pid: int, until: asyncio.Event) -> list[int]:
    """The process's resident bytes, five times a second."""
    process = psutil.Process(pid)
    sizes = []
    while not until.is_set():
        sizes.append(process.memory_info().rss)
        await asyncio.sleep(0.2)
    return sizes


def percentile(values: list[float], percent: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
