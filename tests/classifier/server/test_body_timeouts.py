"""Timeouts and limits of bodies, to the millisecond, on a fake clock."""

from collections.abc import Callable

import pytest
from uvicorn.config import Config

from classifier.server.closing import DRAIN_SECONDS
from tests.classifier.server.fake_clock import (
    BODY_SECONDS,
    JUST,
    KEEP_ALIVE_SECONDS,
    MAX_BYTES,
    Connection,
    FakeClockLoop,
    on_fake_clock,
    run,
)
from tests.support import raw


@pytest.mark.parametrize("content_type", ["image/jpeg", "multipart/form-data; boundary=b"])
def test_slow_body_gets_408_after_body_seconds(config: Config, content_type: str) -> None:
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
        assert b"did not arrive within 3 seconds" in slow.received

    run(test)


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
async def test_unread_body_has_body_seconds_after_the_response(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given a response before the body is read, and bytes that keep arriving."""
    slow = connect()
    await slow.send(raw.post("text/html", "Content-Length: 1000"))
    assert raw.status(slow.received) == 415
    await slow.send(b"z")
    assert loop.armed() == [BODY_SECONDS]
    for _ in range(BODY_SECONDS * 2 - 1):
        await loop.advance(0.5)
        await slow.send(b"z")
    await loop.advance(0.5 - JUST)
    assert not slow.is_closed
    await loop.advance(JUST)
    assert slow.is_closed


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


@on_fake_clock
async def test_unread_body_is_read_up_to_max_bytes(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("text/html", "Transfer-Encoding: chunked"))
    assert raw.status(client.received) == 415
    head = b"%x\r\n" % (2 * MAX_BYTES)
    await client.send(head + b"x" * (MAX_BYTES - len(head)))
    assert not client.is_closed
    await client.send(b"x")
    assert client.is_closed


@on_fake_clock
async def test_closing_connection_is_closed_in_stages(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Closing with unread data would reset the connection and could lose the response. Whatever the
    client sends is read until it has closed its side."""
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1000000", "Connection: close") + b"z")
    assert raw.status(client.received) == 413
    assert client.transport.has_ended
    await client.send(bytes(10 * MAX_BYTES))
    assert client.transport.unread == b""
    assert not client.is_closed
    await client.close()
    assert client.is_closed
    assert loop.armed() == []


@on_fake_clock
async def test_closing_connection_is_read_for_a_few_seconds(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1000", "Connection: close") + b"z")
    assert loop.armed() == [DRAIN_SECONDS]
    await loop.advance(DRAIN_SECONDS - JUST)
    assert not client.is_closed
    await loop.advance(JUST)
    assert client.is_closed


@on_fake_clock
async def test_closing_connection_closes_at_once_after_a_complete_body(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("text/html", "Content-Length: 1", "Connection: close") + b"z")
    assert raw.status(client.received) == 415
    assert client.is_closed
