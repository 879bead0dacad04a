"""One client of a closed loop: a non-blocking connection that is kept open between requests."""

import select
import socket
from typing import Final

from local.loadtest.engine.connection import (
    NO_RESPONSE,
    TRUNCATED,
    ConnectionFailed,
    failure_kind,
)
from local.loadtest.engine.response import MalformedResponse, Response
from local.loadtest.target import Address

READY: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP
"""Edge-triggered: the connection is registered once, and never modified."""

_RECEIVE_BYTES: Final = 64 * 1024


class LoopClient:
    """Sends one request at a time. `descriptor` is that of its connection, or -1."""

    __slots__ = (
        "descriptor",
        "first_try",
        "polite",
        "response",
        "socket",
        "started",
        "turn",
        "unsent",
        "waiting",
    )

    def __init__(self, *, polite: bool) -> None:
        self.polite = polite
        """It waits as long as Retry-After says."""
        self.descriptor = -1
        self.socket: socket.socket | None = None
        self.unsent = memoryview(b"")
        self.response = Response()
        self.waiting = False
        """A request is in flight."""
        self.started = 0.0
        self.first_try = 0.0
        """The start of the first request since the last success; 0: there is none yet."""
        self.turn = 0
        """The number of requests so far."""

    def begin(self, request: bytes, now: float) -> None:
        """Make `request` the next one; `send` it when the connection is ready."""
        self.started = now
        self.first_try = self.first_try or now
        self.turn += 1
        self.waiting = True
        # The rest of a body whose response came early has to be sent before.
        self.unsent = memoryview(bytes(self.unsent) + request if self.unsent else request)
        self.response.release()
        self.response = Response()

    def connect(self, address: Address) -> None:
        """Open the connection. Raises `ConnectionFailed`."""
        try:
            self.socket = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.descriptor = self.socket.fileno()
            self.socket.connect(address.address)
        except BlockingIOError:
            pass
        except OSError as error:
            raise ConnectionFailed(failure_kind(error)) from None

    def send(self) -> None:
        """Send as much as possible. Raises `ConnectionFailed`."""
        assert self.socket
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            # A server that refuses may close before it has read the body, after its response.
            if not (self.waiting and self._receive_last()):
                raise ConnectionFailed(failure_kind(error)) from None

    def receive(self) -> bool:
        """Receive what there is. Returns whether the response is complete. Raises
        `ConnectionFailed`, also if the server has closed a connection without a request."""
        assert self.socket
        try:
            while True:
                data = self.socket.recv(_RECEIVE_BYTES)
                if not data:
                    return self._closed()
                if self.response.feed(data):
                    return True
                if len(data) < _RECEIVE_BYTES:
                    return False
        except BlockingIOError:
            return False
        except MalformedResponse as malformed:
            raise ConnectionFailed(str(malformed)) from None
        except OSError as error:
            raise ConnectionFailed(failure_kind(error)) from None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.socket:
            self.socket.close()
            self.socket = None
        self.descriptor = -1
        self.unsent = memoryview(b"")

    def _closed(self) -> bool:
        if self.response.close():
            return True
        raise ConnectionFailed(TRUNCATED if self.response.started else NO_RESPONSE)

    def _receive_last(self) -> bool:
        try:
            return self.receive()
        except ConnectionFailed:
            return False
