"""Slow clients over a real uvicorn.

The exact moments of the timeouts are in test_protocol.py and test_body_timeouts.py.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.classifier.server.clients import assert_healthy, open_half_requests
from tests.support import raw
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS, wait_until

HEAD_SECONDS, BODY_SECONDS = 2, 2
TOLERANCE = 0.1
"""Seconds by which the clock of uvicorn's event loop may be behind."""


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Slow clients have two seconds, idle ones have as long as they want."""
    limits = {"HEAD_SECONDS": str(HEAD_SECONDS), "BODY_SECONDS": str(BODY_SECONDS)}
    log = tmp_path_factory.mktemp("hurried") / "log"
    with serving(log, "--timeout-keep-alive", "600", **limits) as server:
        yield server


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
