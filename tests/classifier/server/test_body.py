"""Request bodies: the memory budget, and bodies that are not read."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import pytest

from classifier.server.closing import SMALL_BODY_BYTES
from tests.classifier.server.clients import assert_healthy, open_half_requests
from tests.support import raw
from tests.support.server import Server, serving
from tests.support.tls import self_signed
from tests.support.tools import OPENSSL, needs
from tests.support.wait import HANG_SECONDS, wait_until

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Memory for two bodies, long timeouts for slow clients, a short one for idle connections."""
    settings = {
        "MAX_BYTES": str(MEGABYTE),
        "MAX_HELD_BYTES": str(2 * MEGABYTE),
        "HEAD_SECONDS": "600",
        "BODY_SECONDS": "600",
    }
    log = tmp_path_factory.mktemp("small_server") / "log"
    with serving(log, "--timeout-keep-alive", "3", **settings) as server:
        yield server


def begin_bodies(url: str, count: int, stack: ExitStack) -> list[socket.socket]:
    """Send seven eighths of `count` requests of one megabyte each."""
    opened = [stack.enter_context(raw.connection(url)) for _ in range(count)]
    for client in opened:
        with suppress(ConnectionError):  # it may have been refused and closed
            client.sendall(raw.post("image/jpeg", f"Content-Length: {MEGABYTE}"))
            client.sendall(bytes(MEGABYTE // 8 * 7))
    return opened


def end_bodies(opened: list[socket.socket]) -> list[int]:
    """Send the last eighth of each request. Returns the statuses."""
    for client in opened:
        with suppress(ConnectionError):
            client.sendall(bytes(MEGABYTE // 8))
    return [raw.status(raw.one_response(client)) for client in opened]


def test_bodies_beyond_the_memory_budget_get_503(small_server: Server) -> None:
    """Given memory for two bodies and eight parallel ones: six are refused, two get their
    response."""

    def responded() -> list[socket.socket]:
        return [client for client in opened if raw.is_readable(client)]

    with ExitStack() as stack:
        opened = begin_bodies(small_server.url, 8, stack)
        wait_until(lambda: len(responded()) >= 6, "six responses")
        assert_healthy(small_server)
        refused = responded()
        assert [raw.status(raw.one_response(client)) for client in refused] == [503] * 6
        assert end_bodies([client for client in opened if client not in refused]) == [415] * 2


def test_disconnect_releases_the_memory_of_a_body(small_server: Server) -> None:
    """Given three half bodies, one too many: when their clients have disconnected, there is memory
    for two whole bodies."""

    def send_two() -> list[int]:
        with ExitStack() as stack:
            return end_bodies(begin_bodies(small_server.url, 2, stack))

    with ExitStack() as stack:
        opened = begin_bodies(small_server.url, 3, stack)
        wait_until(lambda: any(map(raw.is_readable, opened)), "a response")
        (refused,) = filter(raw.is_readable, opened)
        assert raw.status(raw.one_response(refused)) == 503
    wait_until(lambda: send_two() == [415] * 2, "memory for two bodies")


def test_slow_clients_do_not_block_others(small_server: Server, sample: bytes) -> None:
    """Given 200 half heads and 200 half bodies, an image is classified."""
    with ExitStack() as stack:
        opened = open_half_requests(small_server.url, stack)
        assert small_server.client.post("/", files={"file": sample}).status_code == 200
        assert not any(raw.is_readable(client) for client in opened)


def test_early_response_reaches_a_client_that_keeps_sending(server: Server) -> None:
    """It reads the response when it has sent a body larger than any that is accepted."""
    with raw.connection(server.url) as client:
        client.sendall(raw.post("image/jpeg", f"Content-Length: {200 * MEGABYTE}"))
        for _ in range(200):
            client.sendall(bytes(MEGABYTE))
        assert raw.status(raw.response(client)) == 413


def test_connection_stays_usable_after_an_early_response_to_a_small_body(server: Server) -> None:
    with raw.connection(server.url) as client:
        client.sendall(raw.post("text/html", f"Content-Length: {SMALL_BODY_BYTES}"))
        assert raw.status(raw.one_response(client)) == 415
        client.sendall(bytes(SMALL_BODY_BYTES) + raw.get("/healthz", "Connection: close"))
        assert raw.status(raw.response(client)) == 200


@needs(OPENSSL)
def test_early_response_arrives_with_tls(tmp_path: Path) -> None:
    """A client of the standard library reads the response when it has sent everything."""
    certificate = self_signed(tmp_path)
    options = ("--ssl-keyfile", str(certificate), "--ssl-certfile", str(certificate))
    with serving(tmp_path / "log", *options, MAX_BYTES=str(MEGABYTE)) as server:
        address = httpx.URL(server.url)
        context = ssl.create_default_context(cafile=certificate)
        client = http.client.HTTPSConnection(
            "localhost", address.port, timeout=HANG_SECONDS, context=context
        )
        with closing(client):
            client.request("POST", "/", bytes(30 * MEGABYTE), {"Content-Type": "image/jpeg"})
            assert client.getresponse().status == 413


def test_idle_connection_is_closed_after_an_early_response(small_server: Server) -> None:
    """uvicorn alone would not restart its keep-alive timeout."""
    head = raw.post("text/html", f"Content-Length: {MEGABYTE}")
    with raw.connection(small_server.url) as idle:
        idle.sendall(head + bytes(MEGABYTE))
        assert raw.status(raw.response(idle)) == 415
