"""Slow clients over a real uvicorn.

test_protocol.py and test_body_timeouts.py test the timeouts to the millisecond.
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

HEAD_SECONDS, BODY_SECONDS = 5, 5
"""Long enough for a client on a busy machine to send its first byte."""
TOLERANCE = 0.1
"""Seconds by which the clock of uvicorn's event loop may lag."""


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Short timeouts for heads and bodies, a long one for idle connections."""
    limits = {
        "HEAD_SECONDS": str(HEAD_SECONDS),
        "BODY_SECONDS": str(BODY_SECONDS),
        # No request waits: then the service would open a descriptor, and keep it.
        "QUEUE": "1000",
    }
    log = tmp_path_factory.mktemp("strict_server") / "log"
    with serving(log, "--timeout-keep-alive", "600", **limits) as server:
        yield server


def test_silent_connection_is_closed(strict_server: Server) -> None:
    start = time.monotonic()
    with raw.connection(strict_server.url) as silent:
        assert raw.response(silent) == b""
    assert time.monotonic() - start >= HEAD_SECONDS - TOLERANCE


@pytest.mark.parametrize("used", [False, True], ids=["new connection", "used connection"])
def test_slow_head_gets_408(strict_server: Server, used: bool) -> None:
    """Given a Slowloris client: it never pauses, and the server closes the connection."""
    start = time.monotonic()
    with raw.connection(strict_server.url) as slow:
        if used:
            slow.sendall(raw.get("/healthz"))
            assert raw.status(raw.one_response(slow)) == 200
        slow.sendall(b"GET / HTTP/1.1\r\nHost: service\r\nX-Slow: ")
        assert raw.status(raw.drip(slow)) == 408
    assert time.monotonic() - start >= HEAD_SECONDS - TOLERANCE


def test_slow_body_gets_408(strict_server: Server) -> None:
    """Given a client that never pauses: it gets a response, and its connection is closed."""
    start = time.monotonic()
    with raw.connection(strict_server.url) as slow:
        slow.sendall(raw.post("image/jpeg", "Content-Length: 1000000") + b"\xff\xd8\xff")
        received = raw.drip(slow)
    assert raw.status(received) == 408
    assert (
        f"too slowly: at less than 1,000 bytes per second over {BODY_SECONDS}".encode() in received
    )
    assert time.monotonic() - start >= BODY_SECONDS - TOLERANCE


def test_steady_slow_body_gets_its_response(strict_server: Server) -> None:
    """Given a body that takes longer than BODY_SECONDS."""
    pieces = 2 * BODY_SECONDS + 4

    def is_sent() -> bool:
        """False if this client was not steady, on a busy machine."""
        sent = time.monotonic()
        with raw.connection(strict_server.url) as slow:
            slow.sendall(raw.post("image/jpeg", f"Content-Length: {pieces * 4000}"))
            for _ in range(pieces):
                responded = raw.is_readable(slow, 0.5)
                if time.monotonic() - sent > BODY_SECONDS / 2:
                    return False
                assert not responded
                sent = time.monotonic()
                slow.sendall(bytes(4000))
            return raw.status(raw.one_response(slow)) == 415

    wait_until(is_sent, "a steady body with its response")


def test_timed_out_connections_are_closed(strict_server: Server) -> None:
    """The server closes their connections although the clients keep sending."""
    process = psutil.Process(strict_server.process.pid)
    assert_healthy(strict_server)
    before = process.num_fds()
    with ExitStack() as stack:
        opened = open_half_requests(strict_server.url, stack)
        assert all(raw.is_readable(client, HANG_SECONDS) for client in opened)
        for client in opened:
            with suppress(ConnectionError):
                client.sendall(b"z")
        wait_until(lambda: process.num_fds() <= before, "the end of their connections")
