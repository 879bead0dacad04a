"""When a slow client is given up: the exact moments, on a clock that only the test moves.

tests/function/test_hostile_http.py shows the same over real sockets, without the moments.
"""

import logging
from collections.abc import Callable, Coroutine

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config

from classifier.api.app import create_app
from classifier.api.service import Service
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.server.protocol import MAX_HEAD_BYTES, TimeoutProtocol, install
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.function.fake_clock import (
    KEEP_ALIVE_SECONDS,
    Connection,
    FakeClockLoop,
    configured,
    run,
    settle,
)
from tests.support import raw

HEAD_SECONDS, BODY_SECONDS = 2, 3
LAST_SECONDS = TimeoutProtocol.final_seconds
LINGER_SECONDS = 5
MAX_BYTES = 100_000
JUST = 0.001

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: service\r\nX-Slow: "

Scenario = Callable[[FakeClockLoop, Callable[[], Connection]], Coroutine[object, object, None]]


@pytest.fixture(scope="module")
def config() -> Config:
    """The whole service, whose settings are short."""
    settings = Settings(
        head_seconds=HEAD_SECONDS,
        body_seconds=BODY_SECONDS,
        max_bytes=MAX_BYTES,
        threads=1,
        access_log=False,
    )
    model = load_model(str(SHIPPED_MODEL))
    classifier = Classifier(model, Metrics(), max_pixels=settings.max_pixels)
    return configured(create_app(Service(classifier, settings)), settings)


def on_fake_clock(scenario: Scenario) -> Callable[[Config], None]:
    """The test of pytest that runs `scenario` with a loop and a function that opens connections."""

    def runs(config: Config) -> None:
        run(lambda loop: scenario(loop, lambda: Connection(loop, config)))

    runs.__name__, runs.__doc__ = scenario.__name__, scenario.__doc__
    return runs


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
async def test_bytes_of_a_head_do_not_extend_its_time(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """A slow loris: a byte comes every half second."""
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
    assert slow.is_closed


@on_fake_clock
async def test_complete_head_ends_its_time(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Then uvicorn's time for idle connections begins."""
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
async def test_each_further_head_has_head_seconds_from_its_first_byte(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.get("/healthz"))
    answered = len(client.received)
    await loop.advance(1)
    await client.send(HALF_A_HEAD)
    assert loop.armed() == [HEAD_SECONDS]
    await loop.advance(HEAD_SECONDS - JUST)
    assert not client.is_closed
    await loop.advance(JUST)
    assert raw.status(client.received[answered:]) == 408
    assert client.is_closed


@on_fake_clock
async def test_head_may_have_head_bytes_and_no_more(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    greedy = connect()
    await greedy.send(HALF_A_HEAD + b"x" * (MAX_HEAD_BYTES - len(HALF_A_HEAD)))
    assert not greedy.is_closed
    await greedy.send(b"x")
    assert raw.status(greedy.received) == 431
    assert greedy.is_closed


@on_fake_clock
async def test_head_bytes_are_counted_anew_for_each_request(
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
    leaving = connect()
    await leaving.send(HALF_A_HEAD)
    assert loop.armed() == [HEAD_SECONDS]
    leaving.transport.close()
    await settle()
    assert loop.armed() == []


# Bodies


@pytest.mark.parametrize("content_type", ["image/jpeg", "multipart/form-data; boundary=b"])
def test_body_has_body_seconds_however_it_comes(config: Config, content_type: str) -> None:
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
async def test_body_in_time_is_answered(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    client = connect()
    await client.send(raw.post("image/jpeg", "Content-Length: 2") + b"n")
    await loop.advance(BODY_SECONDS - JUST)
    await client.send(b"o")
    await client.has_answered()
    assert raw.status(client.received) == 415
    assert loop.armed() == [KEEP_ALIVE_SECONDS]


@on_fake_clock
async def test_unread_body_has_body_seconds_after_the_answer(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """Given a body that is answered before it is read, of which bytes keep coming."""
    slow = connect()
    await slow.send(raw.post("text/plain", "Content-Length: 1000"))
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
async def test_unread_body_that_ends_leaves_the_connection_idle(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """uvicorn alone would not begin its time for idle connections again."""
    client = connect()
    await client.send(raw.post("text/plain", "Content-Length: 3") + b"a")
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
    greedy = connect()
    await greedy.send(raw.post("text/plain", "Transfer-Encoding: chunked"))
    assert raw.status(greedy.received) == 415
    head = b"%x\r\n" % (2 * MAX_BYTES)
    await greedy.send(head + b"x" * (MAX_BYTES - len(head)))
    assert not greedy.is_closed
    await greedy.send(b"x")
    assert greedy.is_closed


@on_fake_clock
async def test_rest_of_a_body_is_awaited_before_a_connection_is_closed(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """To close it with something unread would reset it, and the answer might not arrive."""
    closing = connect()
    await closing.send(raw.post("text/plain", "Content-Length: 1000", "Connection: close") + b"z")
    await loop.advance(LINGER_SECONDS - JUST)
    assert closing.received == b""
    await loop.advance(JUST)
    assert raw.status(closing.received) == 415
    assert closing.is_closed


@on_fake_clock
async def test_connection_is_closed_when_the_rest_of_the_body_has_come(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    closing = connect()
    await closing.send(raw.post("text/plain", "Content-Length: 3", "Connection: close") + b"z")
    assert closing.received == b""
    await closing.send(b"zz")
    assert raw.status(closing.received) == 415
    assert closing.is_closed


@on_fake_clock
async def test_rest_of_a_body_is_not_awaited_beyond_max_bytes(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    greedy = connect()
    length = f"Content-Length: {MAX_BYTES + 1}"
    await greedy.send(raw.post("text/plain", length, "Connection: close"))
    await greedy.send(b"x" * (MAX_BYTES - 1))
    assert greedy.received == b""
    await greedy.send(b"x")
    assert raw.status(greedy.received) == 415
    assert greedy.is_closed


# The end of the server


@on_fake_clock
async def test_new_connection_may_still_send_its_request_at_shutdown(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    """It was accepted: its request is answered, and is its last one."""
    late = connect()
    late.protocol.shutdown()
    assert loop.armed() == [LAST_SECONDS]
    await loop.advance(LAST_SECONDS - JUST)
    await late.send(raw.get("/healthz"))
    assert raw.status(late.received) == 200
    assert late.is_closed


@on_fake_clock
async def test_new_connection_without_a_request_is_closed_after_the_last_seconds(
    loop: FakeClockLoop, connect: Callable[[], Connection]
) -> None:
    silent = connect()
    silent.protocol.shutdown()
    await loop.advance(LAST_SECONDS - JUST)
    assert not silent.is_closed
    await loop.advance(JUST)
    assert silent.is_closed


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
    """Given a body whose response came early, and in the read of its end half of the next body."""
    connection = connect()
    await connection.send(raw.post("text/plain", "Content-Length: 10"))
    assert raw.status(connection.received) == 415
    await connection.send(b"x" * 10 + raw.post("image/png", "Content-Length: 1000") + b"x")
    assert loop.armed() == [BODY_SECONDS]


# Which servers


def test_other_protocols_than_httptools_get_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    Config(app, http="h11", log_config=None).load()
    with caplog.at_level(logging.WARNING):
        install(Settings())
    assert "Slow request heads have no timeout" in caplog.text
