"""Request bodies: the memory for all of them, and those that nothing reads."""

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


def test_slow_clients_do_not_keep_others_out(small: Server, sample: bytes) -> None:
    """Given 200 that sent half a body and 200 with half a head, an image is classified."""
    with ExitStack() as stack:
        opened = open_half_requests(small.url, stack)
        assert small.client.post("/", files={"file": sample}).status_code == 200
        assert not any(raw.is_readable(each) for each in opened)


def test_an_answer_before_the_body_is_read_arrives_whole(server: Server) -> None:
    """A client that sends on regardless finds the answer, and the connection still serves."""
    body = raw.post("text/plain", f"Content-Length: {8 * MEGABYTE}") + bytes(8 * MEGABYTE)
    with raw.connection(server.url) as stubborn:
        stubborn.sendall(body)
        assert raw.status(raw.one_answer(stubborn)) == 415
        stubborn.sendall(raw.get("/healthz", "Connection: close"))
        assert raw.status(raw.answer(stubborn)) == 200


def test_a_connection_is_not_kept_when_its_answer_came_early(small: Server) -> None:
    """uvicorn's own time for idle connections would not begin again."""
    head = raw.post("text/plain", f"Content-Length: {MEGABYTE}")
    with raw.connection(small.url) as idle:
        idle.sendall(head + bytes(MEGABYTE))
        assert raw.status(raw.answer(idle)) == 415
