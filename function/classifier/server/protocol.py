"""Timeouts for connections that send half a request, or nothing; uvicorn alone has none."""

import asyncio
import logging
import sys
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from classifier.settings import Settings

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers; h11 has the same limit."""

_log = logging.getLogger(__name__)

_RESPONSE: Final = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s"
)


class TimeoutProtocol(HttpToolsProtocol):
    """Closes a connection whose request head arrives too slowly or is too large, and one that
    keeps sending a body after the response.

    `uvicorn --http classifier.server.protocol:TimeoutProtocol` chooses it; `install` does so for a
    uvicorn that was started without the option.
    """

    settings: ClassVar[Settings] = Settings()

    final_seconds: ClassVar[float] = 1.0
    """Time for the request of a connection that was accepted right before the shutdown"""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._in_body = False
        self._uncounted = 0
        """Bytes of the head, or of a body after its response, so far"""
        self._timer: asyncio.TimerHandle | None = None
        self._final = False
        """The server is shutting down: the next request of this connection is its last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer(self.settings.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        # A pipelined request may begin in the read that ended the previous one.
        self._unset_keepalive_if_required()
        self._in_head = True
        self._uncounted = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        self._stop_timer()
        super().on_headers_complete()
        if self._final and self.cycle:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_timer()
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # Reading the rest of the body has cancelled uvicorn's keep-alive timeout.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._uncounted += len(data)
            if self._uncounted > MAX_HEAD_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
            elif self._timer is None:
                self._start_timer(self.settings.head_seconds)
        elif self._in_body and self.cycle.response_complete:
            # The response came before the body; reading on lets the client receive it.
            self._uncounted += len(data)
            if self._uncounted > self.settings.max_bytes:
                self.transport.close()
            elif self._timer is None:
                self._start_timer(self.settings.body_seconds)

    def shutdown(self) -> None:
        """Like uvicorn, but a connection that was accepted without a request yet gets the time to
        send one."""
        if self.cycle is None:
            self._final = True
            self._stop_timer()
            self._start_timer(self.final_seconds)
        else:
            super().shutdown()

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        if self._in_head and self._uncounted:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        self.transport.write(_RESPONSE % (status, len(status), status))
        self.transport.close()


def install(settings: Settings) -> None:
    """Use `TimeoutProtocol`, with `settings`, for all connections of this process's uvicorn.

    uvicorn has no setting for these timeouts, and has chosen its protocol class before it imports
    the application. So that `uvicorn main:app` is protected without `--http`, instances of its
    class are made as instances of this subclass.
    """
    TimeoutProtocol.settings = settings
    HttpToolsProtocol.__new__ = _new  # type: ignore[method-assign, assignment]
    if "uvicorn.protocols.http.h11_impl" in sys.modules:
        _log.warning("Slow request heads have no timeout: install httptools, or drop --http h11.")


def _new(cls: type[HttpToolsProtocol], *arguments: Any, **options: Any) -> HttpToolsProtocol:
    return object.__new__(TimeoutProtocol if cls is HttpToolsProtocol else cls)
