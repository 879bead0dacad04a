"""Connections that send half a request, or none: uvicorn alone would keep them for ever."""

import asyncio
import logging
from typing import Any, ClassVar, Final

from starlette.types import Receive
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from classifier.settings import Settings

HEAD_BYTES: Final = 64 * 1024
"""Largest head of a request: the request line and the headers. h11's limit is the same."""

_log = logging.getLogger(__name__)

_ANSWER: Final = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s"
)


class GuardedProtocol(HttpToolsProtocol):
    """Closes a connection whose request's head comes too slowly or is too large, and one that
    goes on sending a body after the answer."""

    settings: ClassVar[Settings]

    last_seconds: ClassVar[float] = 1.0
    """Time for the request of a connection that was accepted right before the shutdown."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._in_body = False
        self._unasked = 0
        self._timer: asyncio.TimerHandle | None = None
        self._last = False
        """Whether this connection's next request is its last one: the server ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer(self.settings.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._unasked = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        self._stop_timer()
        super().on_headers_complete()
        if self._last and self.cycle:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_timer()
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The rest of a body that was answered before ended the time that uvicorn waits.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._unasked += len(data)
            if self._unasked > HEAD_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
            elif self._timer is None:
                self._start_timer(self.settings.head_seconds)
        elif self._in_body and self.cycle.response_complete:
            # It was answered before it was read, and read on so that the answer arrives.
            self._unasked += len(data)
            if self._unasked > self.settings.max_bytes:
                self.transport.close()
            elif self._timer is None:
                self._start_timer(self.settings.body_seconds)

    def shutdown(self) -> None:
        """As uvicorn does it, but a connection so new that its request has not been read yet is
        given the time to send it: it was accepted."""
        if self.cycle is None:
            self._last = True
            self._stop_timer()
            self._start_timer(self.last_seconds)
        else:
            super().shutdown()

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._in_head and self._unasked:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        self.transport.write(_ANSWER % (status, len(status), status))
        self.transport.close()


def guard(receive: Receive, settings: Settings) -> None:
    """Have the uvicorn whose `receive` for the lifespan this is limit what a connection may do.

    An application sees a request when its head is complete, which may be never. uvicorn has no
    setting for that, but looks its protocol's class up at each connection; and whatever it is
    started with, the lifespan comes before the first one.
    """
    config: Any = getattr(getattr(receive, "__self__", None), "config", None)
    if getattr(config, "http_protocol_class", None) is HttpToolsProtocol:
        config.http_protocol_class = type("Guarded", (GuardedProtocol,), {"settings": settings})
    else:
        _log.warning(
            "Half-sent requests are waited for without end: this is not uvicorn's httptools"
        )
