"""Request bodies: the memory budget, and bodies that are not read."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.classifier.server.clients import assert_healthy, open_half_requests
from tests.support import raw
from tests.support.server import Server, serving
from tests.support.wait import wait_until

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
    """The connection stays usable."""
    body = raw.post("text/html", f"Content-Length: {8 * MEGABYTE}") + bytes(8 * MEGABYTE)
    with raw.connection(server.url) as client:
        client.sendall(body)
        assert raw.status(raw.one_response(client)) == 415
        client.sendall(raw.get("/healthz", "Connection: close"))
        assert raw.status(raw.response(client)) == 200


def test_idle_connection_is_closed_after_an_early_response(small_server: Server) -> None:
    """uvicorn alone would not restart its keep-alive timeout."""
    head = raw.post("text/html", f"Content-Length: {MEGABYTE}")
    with raw.connection(small_server.url) as idle:
        idle.sendall(head + bytes(MEGABYTE))
        assert raw.status(raw.response(idle)) == 415
