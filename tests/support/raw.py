"""HTTP over a plain socket, for requests that no HTTP client sends."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator

import httpx

from tests.support.wait import HANG_SECONDS


@contextlib.contextmanager
def connection(url: str, timeout: float = HANG_SECONDS) -> Iterator[socket.socket]:
    """A connection to the server at `url`."""
    address = httpx.URL(url)
    assert address.port
    with socket.create_connection((address.host, address.port), timeout=timeout) as opened:
        yield opened


def post(content_type: str, *headers: str) -> bytes:
    """The complete head of a POST."""
    lines = ["POST / HTTP/1.1", "Host: service", f"Content-Type: {content_type}", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def get(path: str, *headers: str) -> bytes:
    """A complete GET."""
    lines = [f"GET {path} HTTP/1.1", "Host: service", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def response(opened: socket.socket) -> bytes:
    """The bytes until the server closes the connection. Raises `ConnectionResetError` if it resets
    the connection."""
    received = b""
    while chunk := opened.recv(65536):
        received += chunk
    return received


def one_response(opened: socket.socket) -> bytes:
    """One response with a Content-Length, from a connection that stays open. Bytes of the next
    response are left unread."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += _chunk(opened, 1)
    length = int(received.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    end = len(received) + length
    while len(received) < end:
        received += _chunk(opened, end - len(received))
    return received


def next_response(opened: socket.socket) -> bytes:
    """Like `one_response`, after interim responses; empty if the connection has ended."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    try:
        start = opened.recv(len(interim), socket.MSG_PEEK | socket.MSG_WAITALL)
        while start == interim:
            opened.recv(len(interim))
            start = opened.recv(len(interim), socket.MSG_PEEK | socket.MSG_WAITALL)
        return one_response(opened) if start else b""
    except ConnectionResetError:
        return b""


def drip(opened: socket.socket, byte: bytes = b"z") -> bytes:
    """Send byte after byte until the server closes the connection. Returns its response."""
    received = b""
    deadline = time.monotonic() + HANG_SECONDS
    with contextlib.suppress(ConnectionError):  # sending to a closed connection resets it
        while time.monotonic() < deadline:
            if not is_readable(opened, 0.02):
                opened.sendall(byte)
            elif chunk := opened.recv(65536):
                received += chunk
            else:
                return received
        raise AssertionError("the server keeps reading")
    return received


def flood(opened: socket.socket, chunk: bytes, most: int) -> tuple[bool, bytes]:
    """Send `chunk` repeatedly, up to `most` bytes. Returns whether the server closed its side
    before, and its response."""
    received = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):
            while data := opened.recv(65536):
                received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    closed = True
    with contextlib.suppress(ConnectionError):
        sent = 0
        while sent < most and reader.is_alive():
            sent += opened.send(chunk)
        closed = sent < most
        opened.shutdown(socket.SHUT_WR)
    reader.join()
    return closed, bytes(received)


def is_readable(opened: socket.socket, seconds: float = 0) -> bool:
    """Whether data or the end of the connection arrives within `seconds`."""
    return bool(select.select([opened], [], [], seconds)[0])


def status(received: bytes) -> int:
    """The status of the first response in `received`."""
    return int(received.split(b" ", 2)[1])


def _chunk(opened: socket.socket, most: int) -> bytes:
    chunk = opened.recv(most)
    assert chunk, "the connection ended within a response"
    return chunk
