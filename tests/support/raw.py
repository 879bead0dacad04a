"""Requests as no HTTP client would send them: bytes over a socket."""

import contextlib
import socket
from collections.abc import Iterator

import httpx


@contextlib.contextmanager
def connection(url: str, timeout: float = 15) -> Iterator[socket.socket]:
    """A connection to the server at `url`."""
    address = httpx.URL(url)
    assert address.port
    with socket.create_connection((address.host, address.port), timeout=timeout) as opened:
        yield opened


def post(content_type: str, *headers: str) -> bytes:
    """The head of a POST, complete."""
    lines = ["POST / HTTP/1.1", "Host: service", f"Content-Type: {content_type}", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def answer(opened: socket.socket) -> bytes:
    """What comes until the server closes the connection. Raises `ConnectionResetError` if it
    breaks it off."""
    received = b""
    while chunk := opened.recv(65536):
        received += chunk
    return received


def status(received: bytes) -> int:
    """The status of the first answer in `received`."""
    return int(received.split(b" ", 2)[1])
