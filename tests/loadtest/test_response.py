"""Parsing of HTTP/1.1 responses."""

import pytest

from local.loadtest.engine.response import MalformedResponse, Response

COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Test: a: b\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n002;note=x\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + COUNTED


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("data", [COUNTED, CHUNKED, INTERIM])
def test_data_in_pieces_of_any_size(data: bytes, size: int) -> None:
    response = Response()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    complete = [response.feed(piece) for piece in pieces]
    assert complete == [False] * (len(pieces) - 1) + [True]
    assert (response.status, response.body) == (200, b"hello")


@pytest.mark.parametrize("data", [COUNTED, CHUNKED])
def test_truncated_response_is_incomplete(data: bytes) -> None:
    for end in range(1, len(data) - 1):
        response = Response()
        assert not response.feed(data[:end])
        assert not response.close()
        assert response.started


def test_body_without_length_ends_when_the_peer_closes() -> None:
    response = Response()
    assert not response.feed(b"HTTP/1.0 200 OK\r\n\r\nhel")
    assert not response.feed(b"lo")
    assert response.close()
    assert response.body == b"hello"


def test_header_names_are_lower_case_and_values_keep_colons() -> None:
    response = Response()
    response.feed(COUNTED)
    assert response.headers["x-test"] == "a: b"


def test_several_headers_of_one_name_are_a_list() -> None:
    response = Response()
    response.feed(b"HTTP/1.1 204 OK\r\nServer-Timing: a;dur=1\r\nserver-timing: b;dur=2\r\n\r\n")
    assert response.headers == {"server-timing": "a;dur=1, b;dur=2"}


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body(status: int) -> None:
    response = Response()
    assert response.feed(b"HTTP/1.1 %d None\r\n\r\n" % status)
    assert response.body == b""


@pytest.mark.parametrize("more", [b"more", CHUNKED])
def test_data_after_the_response_is_ignored(more: bytes) -> None:
    response = Response()
    assert response.feed(COUNTED + more)
    assert (response.status, response.body) == (200, b"hello")
    assert response.headers["x-test"] == "a: b"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n",
        b"<html>",
        b"HTTP/1.1 abc No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
def test_malformed_response_raises(data: bytes) -> None:
    with pytest.raises(MalformedResponse):
        Response().feed(data)
