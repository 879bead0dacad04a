"""Malformed and endless requests over a real uvicorn.

tests/measure/hostile_http.py measures the memory that endless requests take.
"""

import pytest

from classifier.server.timeouts import MAX_HEAD_BYTES
from classifier.telemetry.request import CLIENT_DISCONNECTED
from tests.classifier.server.clients import assert_healthy
from tests.support import raw
from tests.support.access_log import line_of
from tests.support.endless import BODIES, FLOOD_BYTES, HEADERS, Endless
from tests.support.server import Server


def test_endless_headers_are_refused(server: Server) -> None:
    with raw.connection(server.url) as client:
        client.sendall(HEADERS.start)
        _, received = raw.flood(client, HEADERS.chunk, FLOOD_BYTES)
    assert raw.status(received) in HEADERS.statuses
    assert_healthy(server)


def test_too_long_header_gets_431(server: Server) -> None:
    start = b"GET / HTTP/1.1\r\nHost: service\r\nX: "
    with raw.connection(server.url) as client:
        client.sendall(start)
        client.sendall(b"x" * (MAX_HEAD_BYTES + 1 - len(start)))
        assert raw.status(raw.response(client)) == 431


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
def test_malformed_request_gets_400(server: Server, message: bytes) -> None:
    with raw.connection(server.url) as client:
        client.sendall(message)
        assert raw.status(raw.response(client)) == 400
    assert_healthy(server)


def test_malformed_chunk_gets_400(server: Server) -> None:
    head = raw.post("image/jpeg", "Transfer-Encoding: chunked")
    with raw.connection(server.url) as client:
        client.sendall(head + b"4\r\nabcd\r\nnot hex\r\n")
        assert raw.status(raw.response(client)) == 400
    assert_healthy(server)


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_endless_body_is_refused_while_it_arrives(server: Server, body: Endless) -> None:
    with raw.connection(server.url) as client:
        client.sendall(body.start)
        closed, received = raw.flood(client, body.chunk, FLOOD_BYTES)
    assert closed
    assert raw.status(received) in body.statuses
    assert_healthy(server)


def test_disconnect_within_the_body_is_logged(server: Server, sample: bytes) -> None:
    """Nothing is classified, and no traceback is logged."""
    head = raw.post("image/jpeg", "Content-Length: 1000000", "X-Request-Id: ends-early")
    with raw.connection(server.url) as client:
        client.sendall(head + sample)
    line = line_of(server, "ends-early")
    assert line["status"] == CLIENT_DISCONNECTED
    assert "images" not in line
    assert_healthy(server)
    assert "Traceback" not in server.log.read_text()


def test_pipelined_requests_get_responses_in_order(server: Server) -> None:
    with raw.connection(server.url) as client:
        client.sendall(raw.get("/healthz") + raw.get("/nothing", "Connection: close"))
        received = raw.response(client)
    assert received.index(b"200 OK") < received.index(b"404 Not Found")
