"""Clients that are slow, wrong or greedy, over a real uvicorn started as the README says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support import raw
from tests.support.server import Server, serving

HEAD_SECONDS, BODY_SECONDS = 2, 3
LATE = 3.0
"""Seconds that a busy machine may take longer."""


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"HEAD_SECONDS": str(HEAD_SECONDS), "BODY_SECONDS": str(BODY_SECONDS)}
    with serving(tmp_path_factory.mktemp("hurried") / "log", **limits) as server:
        yield server


def assert_healthy(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200


def test_a_connection_that_says_nothing_is_closed(hurried: Server) -> None:
    start = time.monotonic()
    with raw.connection(hurried.url) as silent:
        assert raw.answer(silent) == b""
    assert HEAD_SECONDS - 0.1 <= time.monotonic() - start < HEAD_SECONDS + LATE


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: service\r\n\r\n"])
def test_half_a_head_is_not_waited_for(hurried: Server, before: bytes) -> None:
    """A slow loris, on a new connection and on one that was used."""
    start = time.monotonic()
    with raw.connection(hurried.url) as slow:
        slow.sendall(before)
        if before:
            assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        slow.sendall(b"GET / HTTP/1.1\r\nHost: service\r\nX-Slow: ")
        for _ in range(10):
            time.sleep(HEAD_SECONDS / 20)
            slow.sendall(b"z")
        assert raw.status(raw.answer(slow)) == 408
    assert time.monotonic() - start < HEAD_SECONDS + LATE


def test_half_a_body_is_not_waited_for(hurried: Server) -> None:
    start = time.monotonic()
    with raw.connection(hurried.url) as slow:
        slow.sendall(raw.post("image/jpeg", "Content-Length: 1000") + b"\xff\xd8\xff")
        for _ in range(10):
            time.sleep(BODY_SECONDS / 20)
            slow.sendall(b"z")
        received = raw.answer(slow)
    assert raw.status(received) == 408
    assert b"did not arrive within 3 seconds" in received
    assert BODY_SECONDS - 0.1 <= time.monotonic() - start < BODY_SECONDS + LATE


def test_slow_clients_do_not_keep_others_out(hurried: Server, sample: bytes) -> None:
    """Given 200 that sent half a body and 200 with half a head, an image is classified; when
    their time is over, none of their connections is left."""
    process = psutil.Process(hurried.process.pid)
    before = process.num_fds()
    body = raw.post("image/jpeg", "Content-Length: 100000") + b"\xff\xd8\xff"
    opened = [raw.connection(hurried.url) for _ in range(400)]
    for number, each in enumerate(opened):
        each.__enter__().sendall(body if number % 2 else body[:40])
    try:
        assert httpx.post(hurried.url, files={"file": sample}, timeout=5).status_code == 200
        deadline = time.monotonic() + BODY_SECONDS + LATE
        while process.num_fds() > before + 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.num_fds() <= before + 5
    finally:
        for each in opened:
            each.__exit__(None, None, None)


def test_endless_headers_are_refused(server: Server) -> None:
    """While they come: the server's memory stays as it is."""
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    head = b"GET / HTTP/1.1\r\nHost: service\r\n"
    sent, _ = flood(head, b"X-Header: " + b"x" * 8000 + b"\r\n", server, 100 * 2**20)
    assert sent < 20 * 2**20  # what the buffers of the system hold
    assert process.memory_info().rss < before + 20 * 2**20
    assert_healthy(server)


def test_one_endless_header_is_refused(server: Server) -> None:
    with raw.connection(server.url) as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nHost: service\r\nX: " + b"x" * 32_000)
        time.sleep(0.2)
        greedy.sendall(b"x" * 40_000)
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
    with raw.connection(server.url) as leaving:
        leaving.sendall(raw.post("image/jpeg", "Content-Length: 1000000") + sample)
    assert_healthy(server)
    assert "Traceback" not in server.log.read_text()


def test_a_broken_chunk(server: Server) -> None:
    head = raw.post("image/jpeg", "Transfer-Encoding: chunked")
    with raw.connection(server.url) as odd:
        odd.sendall(head + b"4\r\nabcd\r\nnot hex\r\n")
        assert raw.status(raw.answer(odd)) == 400
    assert_healthy(server)


def flood(head: bytes, chunk: bytes, server: Server, most: int) -> tuple[int, bytes]:
    """Send `chunk` after `chunk` and take no notice of an answer: how many bytes it took until
    the server hung up, and what it had answered."""
    received = bytearray()
    with raw.connection(server.url) as greedy:

        def read() -> None:
            with suppress(OSError):
                while chunk := greedy.recv(65536):
                    received.extend(chunk)

        reader = threading.Thread(target=read)
        reader.start()
        sent = 0
        with suppress(ConnectionError):
            greedy.sendall(head)
            while sent < most:
                sent += greedy.send(chunk)
            greedy.shutdown(socket.SHUT_WR)
        reader.join()
    return sent, bytes(received)


FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n'


@pytest.mark.parametrize(
    ("content_type", "start", "content", "status"),
    [
        ("image/jpeg", b"", b"x" * 65536, 413),
        (FORM, b"", PART * 1000, 400),
        (FORM, PART[:-3], b"x" * 65536, 413),
        (FORM, b"--b\r\nContent-Disposition: ", b"x" * 65536, None),
        ("text/plain", b"", b"x" * 65536, 415),
    ],
    ids=["an image", "parts", "a field", "a part's header", "a text"],
)
def test_a_body_without_end_is_refused_while_it_comes(
    server: Server, content_type: str, start: bytes, content: bytes, status: int | None
) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    head = raw.post(content_type, "Transfer-Encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (len(content), content)
    first = b"%x\r\n%s\r\n" % (len(start), start) if start else b""
    sent, received = flood(head + first, chunk, server, 400 * 2**20)
    assert sent < 64 * 2**20
    assert raw.status(received) == status if status else raw.status(received) in (400, 413)
    assert process.memory_info().rss < before + 100 * 2**20
    assert_healthy(server)


def test_an_answer_before_the_body_is_read_arrives_whole(server: Server) -> None:
    """A client that sends on regardless finds the answer, and the connection still serves."""
    head = raw.post("text/plain", f"Content-Length: {8 * 2**20}")
    with raw.connection(server.url) as stubborn:
        stubborn.sendall(head)
        stubborn.sendall(bytes(8 * 2**20))
        assert raw.status(stubborn.recv(65536)) == 415
        stubborn.sendall(b"GET /healthz HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
        assert raw.status(raw.answer(stubborn)) == 200


def test_a_connection_is_not_kept_when_its_answer_came_early(hurried: Server) -> None:
    """uvicorn's own time for idle connections, 5 s, would not begin again."""
    head = raw.post("text/plain", f"Content-Length: {2**20}")
    with raw.connection(hurried.url) as idle:
        idle.sendall(head + bytes(2**20))
        assert raw.status(raw.answer(idle)) == 415


def test_requests_in_a_row_on_one_connection(server: Server) -> None:
    """Pipelined: each is answered, in order."""
    get = b"GET %s HTTP/1.1\r\nHost: service\r\n%s\r\n"
    with raw.connection(server.url) as hasty:
        hasty.sendall(get % (b"/healthz", b"") + get % (b"/nothing", b"Connection: close\r\n"))
        received = raw.answer(hasty)
    assert received.index(b"200 OK") < received.index(b"404 Not Found")


def test_memory_for_bodies_is_bounded(tmp_path: Path) -> None:
    """Given room for two bodies, of eight that are sent by halves most get 503, and the service
    answers; when they are gone, there is room again."""
    megabyte = 2**20
    limits = {"MAX_BYTES": str(8 * megabyte), "MAX_HELD_BYTES": str(16 * megabyte)}
    with serving(tmp_path / "log", **limits) as server:
        head = raw.post("image/jpeg", f"Content-Length: {8 * megabyte}")
        opened = [raw.connection(server.url) for _ in range(8)]
        sockets = [each.__enter__() for each in opened]
        refused = 0
        for each in sockets:
            each.sendall(head + bytes(7 * megabyte))
        time.sleep(0.5)
        for each in sockets:
            each.setblocking(False)
            with suppress(BlockingIOError):
                refused += raw.status(each.recv(65536)) == 503
        assert refused == 6
        assert_healthy(server)
        for each in opened:
            each.__exit__(None, None, None)
        time.sleep(0.5)
        body = bytes(7 * megabyte)
        answer = httpx.post(server.url, content=body, headers={"content-type": "image/jpeg"})
        assert answer.status_code == 415
