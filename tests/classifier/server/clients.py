"""Clients that send a request over a connection of their own and read the response later."""

import socket
from contextlib import ExitStack, suppress
from typing import Self

import httpx
from PIL import Image

from tests.support import raw
from tests.support.pictures import encode
from tests.support.server import Server


def image(number: int) -> bytes:
    """A small PNG; each of the numbers 0 to 255 gives another one."""
    return encode(Image.new("RGB", (8, 8), (number, 0, 0)), "PNG")


class Clients:
    """Connections to the server at `url`, closed at the end of the context."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def connect(self) -> socket.socket:
        return self._open.enter_context(raw.connection(self._url))

    def post(self, *images: bytes) -> socket.socket:
        """The connection over which a request with `images` was sent."""
        connection = self.connect()
        connection.sendall(request(*images))
        return connection


def request(*images: bytes) -> bytes:
    """A whole request, head and body, after whose response the server closes the connection."""
    form = httpx.Request("POST", "http://service/", files=[("file", each) for each in images])
    body = form.read()
    length = f"Content-Length: {len(body)}"
    return raw.post(form.headers["content-type"], length, "Connection: close") + body


def open_half_requests(url: str, stack: ExitStack) -> list[socket.socket]:
    """200 connections with half a head, and 200 with half a body."""
    body = raw.post("image/jpeg", "Content-Length: 100000") + b"\xff\xd8\xff"
    opened = []
    for number in range(400):
        opened.append(stack.enter_context(raw.connection(url)))
        with suppress(ConnectionError):  # its time may be over already
            opened[-1].sendall(body if number % 2 else body[:40])
    return opened


def assert_healthy(server: Server) -> None:
    assert server.client.get("/healthz").status_code == 200
