"""Timeouts and limits of heads, and the shutdown, to the millisecond, on a fake clock.

test_slow_clients.py tests the timeouts over real sockets.
"""

from collections.abc import Callable

from classifier.server.protocol import TimeoutProtocol
from classifier.server.timeouts import MAX_HEAD_BYTES
from tests.classifier.server.fake_clock import (
    BODY_SECONDS,
    HEAD_SECONDS,
    JUST,
    KEEP_ALIVE_SECONDS,
    Connection,
    FakeClockLoop,
    on_fake_clock,
    settle,
)
from tests.support import raw

FINAL_SECONDS = TimeoutProtocol.final_seconds
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: service\r\nX-Slow: "


# Heads


@on_fake_clock
async def test_silent_connection_is_closed_after_head_seconds(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    silent = connect()
    assert loop.armed() == [HEAD_SECONDS]
    await loop.advance(HEAD_SECONDS - JUST)
    assert not silent.is_closed
    await loop.advance(JUST)
    assert silent.is_closed
    assert silent.received == b""


@on_fake_clock
async def test_further_bytes_do_not_extend_the_head_timeout(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given a Slowloris client, which sends a byte every half second."""
    slow = connect()
    await slow.send(HALF_A_HEAD)
    for _ in range(HEAD_SECONDS * 2 - 1):
        await loop.advance(0.5)
        await slow.send(b"z")
    await loop.advance(0.5 - JUST)
    assert not slow.is_closed
    await loop.advance(JUST)
    assert raw.status(slow.received) == 408
    assert b"\r\nconnection: close\r\n" in slow.received
    assert slow.transport.has_ended


@on_fake_clock
async def test_complete_head_cancels_the_head_timeout(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """uvicorn's keep-alive timeout starts after the response."""
    client = connect()
    await client.send(HALF_A_HEAD)
    await loop.advance(HEAD_SECONDS - JUST)
    await client.send(b"\r\n\r\n")
    assert raw.status(client.received) == 200
    assert loop.armed() == [KEEP_ALIVE_SECONDS]
    await loop.advance(KEEP_ALIVE_SECONDS - JUST)
    assert not client.is_closed
    await loop.advance(JUST)
    assert client.is_closed


@on_fake_clock
async def test_timeout_of_a_later_head_starts_at_its_first_byte(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.get("/healthz"))
    responded = len(client.received)
    await loop.advance(1)
    await client.send(HALF_A_HEAD)
    assert loop.armed() == [HEAD_SECONDS]
    await loop.advance(HEAD_SECONDS - JUST)
    assert not client.is_closed
    await loop.advance(JUST)
    assert raw.status(client.received[responded:]) == 408
    assert client.transport.has_ended


@on_fake_clock
async def test_head_above_max_head_bytes_gets_431(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(HALF_A_HEAD + b"x" * (MAX_HEAD_BYTES - len(HALF_A_HEAD)))
    assert not client.is_closed
    await client.send(b"x")
    assert raw.status(client.received) == 431
    assert client.transport.has_ended  # closing in stages: the rest of the head may still arrive


@on_fake_clock
async def test_head_above_max_head_bytes_that_arrives_at_once_gets_431(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    for target, headers in (
        ("/" + "x" * MAX_HEAD_BYTES, b""),
        ("/healthz", b"\r\nX: " + b"x" * MAX_HEAD_BYTES),
        ("/healthz", b"\r\nX:" * (MAX_HEAD_BYTES // 4)),
    ):
        client = connect()
        await client.send(raw.get("/healthz"))
        responded = len(client.received)
        await client.send(raw.get(target).replace(b"\r\n\r\n", headers + b"\r\n\r\n"))
        assert raw.status(client.received[responded:]) == 431
        assert client.transport.has_ended


@on_fake_clock
async def test_head_bytes_are_counted_per_request(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    filling = raw.get("/healthz", "X: " + "x" * (MAX_HEAD_BYTES // 2))
    for number in range(1, 4):
        await client.send(filling[:-2])
        await client.send(filling[-2:])
        assert client.received.count(b"HTTP/1.1 200") == number
    assert not client.is_closed


@on_fake_clock
async def test_lost_connection_leaves_no_timer(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(HALF_A_HEAD)
    assert loop.armed() == [HEAD_SECONDS]
    client.transport.close()
    await settle()
    assert loop.armed() == []


# Shutdown


@on_fake_clock
async def test_new_connection_may_still_send_its_request_at_shutdown(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """It was accepted: its first request gets a response, and is its last."""
    late = connect()
    late.protocol.shutdown()
    assert loop.armed() == [FINAL_SECONDS]
    await loop.advance(FINAL_SECONDS - JUST)
    await late.send(raw.get("/healthz"))
    assert raw.status(late.received) == 200
    assert late.is_closed


@on_fake_clock
async def test_new_connection_without_a_request_is_closed_after_final_seconds(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    silent = connect()
    silent.protocol.shutdown()
    await loop.advance(FINAL_SECONDS - JUST)
    assert not silent.is_closed
    await loop.advance(JUST)
    assert silent.is_closed


@on_fake_clock
async def test_request_that_is_arriving_at_shutdown_is_the_last(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("image/jpeg", "Content-Length: 2") + b"n")
    client.protocol.shutdown()
    await client.send(b"o")
    await client.has_responded()
    assert raw.status(client.received) == 415
    assert client.is_closed


@on_fake_clock
async def test_idle_connection_is_closed_at_shutdown(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    idle = connect()
    await idle.send(raw.get("/healthz"))
    assert not idle.is_closed
    idle.protocol.shutdown()
    assert idle.is_closed


@on_fake_clock
async def test_keep_alive_timeout_is_not_armed_during_a_pipelined_request(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given an early response, and one read with the end of its body and half of the next body."""
    connection = connect()
    await connection.send(raw.post("text/html", "Content-Length: 10"))
    assert raw.status(connection.received) == 415
    await connection.send(b"x" * 10 + raw.post("image/png", "Content-Length: 1000") + b"x")
    assert loop.armed() == [BODY_SECONDS]
