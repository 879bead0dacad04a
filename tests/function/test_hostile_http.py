"""Clients that are slow, wrong or greedy, over a real uvicorn started as the README says.

The exact moments at which slow clients are given up are in tests/function/test_timeouts.py, the
memory that greedy ones take in tests/measure/hostile_http.py.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from classifier.server.protocol import MAX_HEAD_BYTES
from classifier.telemetry.request import CLIENT_DISCONNECTED
from tests.support import raw
from tests.support.endless import BODIES, FLOOD_BYTES, HEADERS, Endless
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS, wait_until

HEAD_SECONDS, BODY_SECONDS = 2, 2
TOLERANCE = 0.1
"""Seconds by which the clock of uvicorn's event loop may be behind."""

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Slow clients have two seconds, idle ones have as long as they want."""
    limits = {"HEAD_SECONDS": str(HEAD_SECONDS), "BODY_SECONDS": str(BODY_SECONDS)}
    log = tmp_path_factory.mktemp("hurried") / "log"
    with serving(log, "--timeout-keep-alive", "600", **limits) as server:
        yield server


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Room for two bodies; slow clients have as long as they want, idle ones some seconds."""
    settings = {
        "MAX_BYTES": str(MEGABYTE),
        "MAX_HELD_BYTES": str(2 * MEGABYTE),
        "HEAD_SECONDS": "600",
        "BODY_SECONDS": "600",
    }
    log = tmp_path_factory.mktemp("small") / "log"
    with serving(log, "--timeout-keep-alive", "3", **settings) as server:
        yield server


def assert_healthy(server: Server) -> None:
    assert server.client.get("/healthz").status_code == 200


# Slow clients


def test_a_connection_that_says_nothing_is_closed(hurried: Server) -> None:
    start = time.monotonic()
    with raw.connection(hurried.url) as silent:
        assert raw.answer(silent) == b""
    assert time.monotonic() - start >= HEAD_SECONDS - TOLERANCE


@pytest.mark.parametrize("used", [False, True], ids=["new connection", "used connection"])
def test_half_a_head_is_not_waited_for(hurried: Server, used: bool) -> None:
    """A slow loris, which never pauses: the server ends the connection."""
    start = time.monotonic()
    with raw.connection(hurried.url) as slow:
        if used:
            slow.sendall(raw.get("/healthz"))
            assert raw.status(raw.one_answer(slow)) == 200
        slow.sendall(b"GET / HTTP/1.1\r\nHost: service\r\nX-Slow: ")
        assert raw.status(raw.drip(slow)) == 408
    assert time.monotonic() - start >= HEAD_SECONDS - TOLERANCE


def test_half_a_body_is_not_waited_for(hurried: Server) -> None:
    """Given a client that never pauses: it gets an answer, and its connection ends."""
    start = time.monotonic()
    with raw.connection(hurried.url) as slow:
        slow.sendall(raw.post("image/jpeg", "Content-Length: 1000000") + b"\xff\xd8\xff")
        received = raw.drip(slow)
    assert raw.status(received) == 408
    assert f"did not arrive within {BODY_SECONDS} seconds".encode() in received
    assert time.monotonic() - start >= BODY_SECONDS - TOLERANCE


def open_half_requests(url: str, stack: ExitStack) -> list[socket.socket]:
    """200 connections with half a head, and 200 with half a body."""
    body = raw.post("image/jpeg", "Content-Length: 100000") + b"\xff\xd8\xff"
    opened = []
    for number in range(400):
        opened.append(stack.enter_context(raw.connection(url)))
        with suppress(ConnectionError):  # its time may be over already
            opened[-1].sendall(body if number % 2 else body[:40])
    return opened


def test_slow_clients_do_not_keep_others_out(small: Server, sample: bytes) -> None:
    """Given 200 that sent half a body and 200 with half a head, an image is classified."""
    with ExitStack() as stack:
        opened = open_half_requests(small.url, stack)
        assert small.client.post("/", files={"file": sample}).status_code == 200
        assert not any(raw.is_readable(each) for each in opened)


def test_slow_clients_leave_nothing_behind(hurried: Server) -> None:
    """When their time is over, the server has none of their connections, though the clients go
    on sending."""
    process = psutil.Process(hurried.process.pid)
    assert_healthy(hurried)
    before = process.num_fds()
    with ExitStack() as stack:
        opened = open_half_requests(hurried.url, stack)
        assert all(raw.is_readable(each, HANG_SECONDS) for each in opened)
        for each in opened:
            with suppress(ConnectionError):
                each.sendall(b"z")
        wait_until(lambda: process.num_fds() <= before, "the end of their connections")


# Greedy clients


def test_endless_headers_are_refused(server: Server) -> None:
    with raw.connection(server.url) as greedy:
        greedy.sendall(HEADERS.start)
        closed, _ = raw.flood(greedy, HEADERS.chunk, FLOOD_BYTES)
    assert closed
    assert_healthy(server)


def test_one_endless_header_is_refused(server: Server) -> None:
    start = b"GET / HTTP/1.1\r\nHost: service\r\nX: "
    with raw.connection(server.url) as greedy:
        greedy.sendall(start)
        greedy.sendall(b"x" * (MAX_HEAD_BYTES + 1 - len(start)))
        assert raw.status(raw.answer(greedy)) == 431


@pytest.mark.parametrize(
    "message",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    ],
)
def test_what_is_no_http_gets_400(server: Server, message: bytes) -> None:
    with raw.connection(server.url) as odd:
        odd.sendall(message)
        assert raw.status(raw.answer(odd)) == 400
    assert_healthy(server)


def test_a_body_that_ends_early(server: Server, sample: bytes) -> None:
    """The client leaves in the middle: nothing is classified, and nothing is left behind."""
    head = raw.post("image/jpeg", "Content-Length: 1000000", "X-Request-Id: ends-early")

    def logged() -> list[dict[str, object]]:
        lines = [line for line in server.log.read_text().splitlines() if "ends-early" in line]
        return [json.loads(line) for line in lines]

    with raw.connection(server.url) as leaving:
        leaving.sendall(head + sample)
    wait_until(logged, "the end of the request")
    (line,) = logged()
    assert line["status"] == CLIENT_DISCONNECTED
    assert "images" not in line
    assert_healthy(server)
    assert "Traceback" not in server.log.read_text()


def test_a_broken_chunk(server: Server) -> None:
    head = raw.post("image/jpeg", "Transfer-Encoding: chunked")
    with raw.connection(server.url) as odd:
        odd.sendall(head + b"4\r\nabcd\r\nnot hex\r\n")
        assert raw.status(raw.answer(odd)) == 400
    assert_healthy(server)


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_a_body_without_end_is_refused_while_it_comes(server: Server, body: Endless) -> None:
    with raw.connection(server.url) as greedy:
        greedy.sendall(body.start)
        closed, received = raw.flood(greedy, body.chunk, FLOOD_BYTES)
    assert closed
    assert raw.status(received) in body.statuses
    assert_healthy(server)


def test_an_answer_before_the_body_is_read_arrives_whole(server: Server) -> None:
    """A client that sends on regardless finds the answer, and the connection still serves."""
    body = raw.post("text/plain", f"Content-Length: {8 * MEGABYTE}") + bytes(8 * MEGABYTE)
    with raw.connection(server.url) as stubborn:
        stubborn.sendall(body + raw.get("/healthz", "Connection: close"))
        assert raw.status(raw.one_answer(stubborn)) == 415
        assert raw.status(raw.answer(stubborn)) == 200


def test_a_connection_is_not_kept_when_its_answer_came_early(small: Server) -> None:
    """uvicorn's own time for idle connections would not begin again."""
    head = raw.post("text/plain", f"Content-Length: {MEGABYTE}")
    with raw.connection(small.url) as idle:
        idle.sendall(head + bytes(MEGABYTE))
        assert raw.status(raw.answer(idle)) == 415


def test_requests_in_a_row_on_one_connection(server: Server) -> None:
    """Pipelined: each is answered, in order."""
    with raw.connection(server.url) as hasty:
        hasty.sendall(raw.get("/healthz") + raw.get("/nothing", "Connection: close"))
        received = raw.answer(hasty)
    assert received.index(b"200 OK") < received.index(b"404 Not Found")


# Memory for bodies


def begin_bodies(url: str, count: int, stack: ExitStack) -> list[socket.socket]:
    """Requests of one megabyte each, of which seven eighths have been sent."""
    opened = [stack.enter_context(raw.connection(url)) for _ in range(count)]
    for each in opened:
        with suppress(ConnectionError):  # it may have been refused, and its time be over
            each.sendall(raw.post("image/jpeg", f"Content-Length: {MEGABYTE}"))
            each.sendall(bytes(MEGABYTE // 8 * 7))
    return opened


def end_bodies(opened: list[socket.socket]) -> list[int]:
    """Send the last eighth of each; their statuses."""
    for each in opened:
        with suppress(ConnectionError):
            each.sendall(bytes(MEGABYTE // 8))
    return [raw.status(raw.one_answer(each)) for each in opened]


def test_bodies_beyond_the_memory_for_them_get_503(small: Server) -> None:
    """Given room for two bodies and eight that come at the same time: six are refused, and none
    of the others is lost."""

    def answered() -> list[socket.socket]:
        return [each for each in opened if raw.is_readable(each)]

    with ExitStack() as stack:
        opened = begin_bodies(small.url, 8, stack)
        wait_until(lambda: len(answered()) >= 6, "six answers")
        assert_healthy(small)
        refused = answered()
        assert [raw.status(raw.one_answer(each)) for each in refused] == [503] * 6
        assert end_bodies([each for each in opened if each not in refused]) == [415] * 2


def test_bodies_whose_clients_leave_make_room(small: Server) -> None:
    """Given three halves, one too many: when their clients have left, two whole bodies have room
    at the same time."""

    def two() -> list[int]:
        with ExitStack() as stack:
            return end_bodies(begin_bodies(small.url, 2, stack))

    with ExitStack() as stack:
        opened = begin_bodies(small.url, 3, stack)
        wait_until(lambda: any(raw.is_readable(each) for each in opened), "an answer")
        (refused,) = [each for each in opened if raw.is_readable(each)]
        assert raw.status(raw.one_answer(refused)) == 503
    wait_until(lambda: two() == [415] * 2, "room for two bodies")
