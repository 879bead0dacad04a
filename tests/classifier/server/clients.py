"""Clients that send a request and read the response later."""

import socket
from contextlib import ExitStack, suppress
from typing import Self

import httpx
from PIL import Image

from tests.support import raw
from tests.support.pictures import encode
from tests.support.server import Server


def image(number: int) -> bytes:
    """A small PNG that differs for each number from 0 to 255."""
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
        """Send a request with `images` over a new connection. Returns the connection."""
        connection = self.connect()
        connection.sendall(request(*images))
        return connection


def request(*images: bytes) -> bytes:
    """Head and body of a request with `Connection: close`."""
    form = httpx.Request("POST", "http://service/", files=[("file", image) for image in images])
    body = form.read()
    length = f"Content-Length: {len(body)}"
    return raw.post(form.headers["content-type"], length, "Connection: close") + body


def open_half_requests(url: str, stack: ExitStack) -> list[socket.socket]:
    """Open 200 connections that send half a head, and 200 that send half a body."""
    body = raw.post("image/jpeg", "Content-Length: 100000") + b"\xff\xd8\xff"
    opened = []
    for number in range(400):
        opened.append(stack.enter_context(raw.connection(url)))
        with suppress(ConnectionError):  # it may have timed out already
            opened[-1].sendall(body if number % 2 else body[:40])
    return opened


def assert_healthy(server: Server) -> None:
    assert server.client.get("/healthz").status_code == 200
