"""Timeouts and limits of bodies, to the millisecond, on a fake clock."""

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config

from classifier.errors import TooManyUploads
from classifier.images import MemoryBudget
from classifier.server import closing
from classifier.server.body import BodyStream
from classifier.server.buffers import BodyBuffers
from classifier.server.closing import (
    DRAIN_PAUSE_SECONDS,
    DRAIN_SECONDS,
    SHUTDOWN_SECONDS,
    SMALL_BODY_BYTES,
    Rate,
)
from classifier.server.pace import MIN_BYTES_PER_SECOND
from classifier.settings import Settings
from tests.classifier.server.fake_clock import (
    BODY_SECONDS,
    JUST,
    KEEP_ALIVE_SECONDS,
    MAX_BYTES,
    Connection,
    FakeClockLoop,
    configured,
    on_fake_clock,
    on_fake_loop,
    run,
    settle,
)
from tests.support import raw


@on_fake_clock
async def test_steady_slow_body_gets_its_response(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given a body at the lowest rate, which takes 30 times BODY_SECONDS."""
    slow = connect()
    size = MIN_BYTES_PER_SECOND * BODY_SECONDS * 30
    await slow.send(raw.post("image/jpeg", f"Content-Length: {size}"))
    for _ in range(BODY_SECONDS * 30 - 1):
        await slow.send(b"z" * MIN_BYTES_PER_SECOND)
        await loop.advance(1)
        assert slow.received == b""
    await slow.send(b"z" * MIN_BYTES_PER_SECOND)
    await slow.has_responded()
    assert raw.status(slow.received) == 415
    assert loop.armed() == [KEEP_ALIVE_SECONDS]


@on_fake_clock
async def test_body_that_pauses_gets_408_after_body_seconds(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given a client that stops after a second."""
    client = connect()
    await client.send(raw.post("image/jpeg", "Content-Length: 50000"))
    assert loop.armed() == [BODY_SECONDS]
    await loop.advance(1)
    await client.send(b"z" * 40_000)
    await loop.advance(BODY_SECONDS - JUST)
    assert client.received == b""
    await loop.advance(JUST)
    assert raw.status(client.received) == 408
    assert b"No more of the body arrived for 3 seconds" in client.received


@pytest.mark.parametrize("content_type", ["image/jpeg", "multipart/form-data; boundary=b"])
def test_body_below_the_rate_gets_408_after_body_seconds(config: Config, content_type: str) -> None:
    """Given a byte every half second."""

    async def test(loop: FakeClockLoop) -> None:
        slow = Connection(loop, config)
        await slow.send(raw.post(content_type, "Content-Length: 1000") + b"--b\r\n")
        assert loop.armed() == [BODY_SECONDS]
        for _ in range(BODY_SECONDS * 2 - 1):
            await loop.advance(0.5)
            await slow.send(b"z")
        await loop.advance(0.5 - JUST)
        assert slow.received == b""
        await loop.advance(JUST)
        assert raw.status(slow.received) == 408
        assert b"at less than 1,000 bytes per second over 3 seconds" in slow.received

    run(test)


@on_fake_clock
async def test_fast_start_does_not_pay_for_a_slow_rest(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """The rate counts in each period of BODY_SECONDS."""
    client = connect()
    await client.send(raw.post("image/jpeg", "Content-Length: 90000") + b"z" * 80_000)
    for _ in range(2 * BODY_SECONDS - 1):
        await loop.advance(1)
        assert client.received == b""
        await client.send(b"z")
    await loop.advance(1)
    assert raw.status(client.received) == 408
    assert b"too slowly" in client.received


@on_fake_loop
async def test_slow_body_gets_503_after_body_seconds_while_memory_is_short(
    loop: FakeClockLoop,
) -> None:
    """Given a steady body that has passed two checks when other bodies arrive."""
    budget = MemoryBudget(4 * MAX_BYTES, bodies=MAX_BYTES)
    steady = asyncio.create_task(read_steady_body(budget))
    await settle()
    for _ in range(4 * BODY_SECONDS):
        await loop.advance(0.5)
    budget.take_body(MAX_BYTES // 2)
    for _ in range(2 * BODY_SECONDS - 1):
        await loop.advance(0.5)
    assert not steady.done()
    await loop.advance(0.5)
    assert isinstance(steady.exception(), TooManyUploads)
    assert budget.has_room(MAX_BYTES // 2), "its memory is free"
    assert loop.armed() == []


async def read_steady_body(budget: MemoryBudget) -> None:
    """Read an endless body, at twice the lowest rate."""

    async def receive() -> Message:
        await asyncio.sleep(0.5)
        return {"type": "http.request", "body": bytes(MIN_BYTES_PER_SECOND), "more_body": True}

    body = BodyStream(receive, budget, BodyBuffers(0))
    try:
        async with body.paced(BODY_SECONDS):
            async for _ in body:
                pass
    finally:
        body.release()


@on_fake_clock
async def test_body_in_time_gets_its_response(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("image/jpeg", "Content-Length: 2") + b"n")
    await loop.advance(BODY_SECONDS - JUST)
    await client.send(b"o")
    await client.has_responded()
    assert raw.status(client.received) == 415
    assert loop.armed() == [KEEP_ALIVE_SECONDS]


@on_fake_clock
async def test_connection_closes_if_a_small_body_takes_longer_than_body_seconds(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given a response before the body, and bytes that keep arriving."""
    slow = connect()
    await slow.send(raw.post("text/html", "Content-Length: 1000"))
    assert raw.status(slow.received) == 415
    assert b"connection: close" not in slow.received.lower()
    await slow.send(b"z")
    assert loop.armed() == [BODY_SECONDS]
    for _ in range(BODY_SECONDS * 2 - 1):
        await loop.advance(0.5)
        await slow.send(b"z")
    await loop.advance(0.5 - JUST)
    assert not slow.transport.has_ended
    await loop.advance(JUST)
    assert slow.transport.has_ended
    assert not slow.is_closed


@on_fake_clock
async def test_keep_alive_timeout_starts_after_an_unread_body(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """uvicorn alone would not restart its keep-alive timeout."""
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 3") + b"a")
    assert raw.status(client.received) == 415
    await client.send(b"b")
    await loop.advance(BODY_SECONDS - JUST)
    await client.send(b"c")
    assert loop.armed() == [KEEP_ALIVE_SECONDS]
    await loop.advance(KEEP_ALIVE_SECONDS - JUST)
    assert not client.is_closed
    await loop.advance(JUST)
    assert client.is_closed


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(["Transfer-Encoding: chunked"], id="chunked"),
        pytest.param([f"Content-Length: {SMALL_BODY_BYTES + 1}"], id="large"),
        pytest.param(["Content-Length: 1000", "Expect: 100-continue"], id="expected"),
    ],
)
def test_early_response_closes_the_connection_unless_the_body_is_small(
    config: Config, headers: list[str]
) -> None:
    async def test(loop: FakeClockLoop) -> None:
        client = Connection(loop, config)
        await client.send(raw.post("text/html", *headers))
        assert raw.status(client.received) in (413, 415)
        assert b"\r\nconnection: close\r\n" in client.received
        assert client.transport.has_ended

    run(test)


@pytest.mark.parametrize(
    "headers", [["Transfer-Encoding: chunked"], ["Content-Length: 1", "Expect: 100-continue"]]
)
def test_connection_stays_open_if_the_body_has_arrived(config: Config, headers: list[str]) -> None:
    async def test(loop: FakeClockLoop) -> None:
        client = Connection(loop, config)
        body = b"z" if "Content-Length: 1" in headers else b"1\r\nz\r\n0\r\n\r\n"
        await client.send(raw.post("text/html", *headers) + body)
        assert raw.status(client.received) == 415
        assert b"connection: close" not in client.received.lower()
        assert loop.armed() == [KEEP_ALIVE_SECONDS]

    run(test)


@on_fake_clock
async def test_closing_connection_is_closed_in_stages(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Closing with unread data would reset the connection and could lose the response. Whatever the
    client sends is read until it has closed its side."""
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1000000", "Connection: close") + b"z")
    assert raw.status(client.received) == 413
    assert client.received.lower().count(b"connection: close\r\n") == 1
    assert client.transport.has_ended
    await client.send(bytes(10 * MAX_BYTES))
    assert client.transport.unread == b""
    assert not client.is_closed
    await client.close()
    assert client.is_closed
    assert loop.armed() == []


@on_fake_clock
async def test_closing_connection_is_read_as_long_as_bytes_arrive(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Up to DRAIN_SECONDS in all."""
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1000000", "Connection: close"))
    assert client.transport.has_ended
    for _ in range(DRAIN_SECONDS - 1):
        await client.send(b"z" * MIN_BYTES_PER_SECOND)
        await loop.advance(1)
    assert not client.is_closed
    await client.send(b"z" * MIN_BYTES_PER_SECOND)
    await loop.advance(1)
    assert client.is_closed
    assert loop.armed() == []


@on_fake_clock
async def test_closing_connection_closes_after_a_pause(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1000", "Connection: close") + b"z")
    await loop.advance(DRAIN_PAUSE_SECONDS - JUST)
    assert not client.is_closed
    await loop.advance(JUST)
    assert client.is_closed
    assert loop.armed() == []


@on_fake_clock
async def test_closing_connection_is_read_for_shutdown_seconds_at_shutdown(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given one that closes before the shutdown begins, and one that closes after it."""
    before, after = connect(), connect()
    await before.send(raw.post("text/html", "Content-Length: 1000000", "Connection: close"))
    await after.send(raw.post("image/jpeg", "Content-Length: 90000"))
    for client in (before, after):
        client.protocol.shutdown()
    await after.send(b"z" * 90_000 + b"z")
    await before.send(b"z" * 90_000)
    await after.has_responded()
    await loop.advance(SHUTDOWN_SECONDS - JUST)
    assert not before.is_closed
    await loop.advance(JUST)
    assert before.is_closed
    assert after.is_closed


@on_fake_clock
async def test_connection_with_tls_is_read_before_it_closes(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """It has no half-closed state."""
    client = connect()
    client.transport.can_write_eof = lambda: False  # type: ignore[method-assign]
    await client.send(raw.post("text/html", "Content-Length: 1000000"))
    assert raw.status(client.received) == 413
    await client.send(bytes(10 * MAX_BYTES))
    assert client.transport.unread == b""
    assert not client.is_closed
    assert not client.transport.has_ended
    await client.close()
    assert client.is_closed


@on_fake_clock
async def test_closing_connection_closes_at_once_after_a_complete_body(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1", "Connection: close") + b"z")
    assert raw.status(client.received) == 415
    assert client.is_closed


@pytest.mark.parametrize("parser", ["httptools", "h11"])
def test_announced_close_follows_although_the_body_has_arrived(
    parser: Literal["httptools", "h11"],
) -> None:
    """Given a response that starts before the body has arrived, and ends after it."""
    body_sent = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await body_sent.wait()
        await send({"type": "http.response.body", "body": b"ok"})

    async def test(loop: FakeClockLoop) -> None:
        client = Connection(loop, configured(app, Settings(), parser=parser))
        await client.send(raw.post("text/plain", f"Content-Length: {SMALL_BODY_BYTES + 1}"))
        assert b"connection: close" in client.received.lower()
        await client.send(bytes(SMALL_BODY_BYTES + 1))
        body_sent.set()
        await settle()
        assert client.received.endswith(b"ok")
        assert client.is_closed

    run(test)


def test_work_beyond_the_rate_is_delayed() -> None:
    """Given a tenth of a second's work at once, in two parts, and later another part."""
    now = 1000.0
    rate = Rate(per_second=100, burst_seconds=0.05, clock=lambda: now)
    assert rate.delay(5) == 0
    assert rate.delay(5) == pytest.approx(0.05)
    now += 0.1
    assert rate.delay(5) == 0
    assert rate.delay(10) == pytest.approx(0.1)


def test_reading_pauses_while_the_rate_is_exceeded(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a closing connection, and a client that sends in a moment what may take a second."""

    async def test(loop: FakeClockLoop) -> None:
        rate = Rate(1_000_000, burst_seconds=0.05, clock=loop.time)
        monkeypatch.setattr(closing, "_rate", rate)
        client = Connection(loop, config)
        await client.send(raw.post("text/html", "Content-Length: 1000000", "Connection: close"))
        await client.send(bytes(1_000_000))
        assert client.transport.unread
        await loop.advance(0.1)
        assert client.transport.unread
        for _ in range(10):
            await loop.advance(0.1)
        assert not client.transport.unread
        await client.close()
        assert loop.armed() == []

    run(test)
