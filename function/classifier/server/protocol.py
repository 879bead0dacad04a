"""Timeouts for connections that send half a request, or nothing; uvicorn alone has none."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from classifier.server.admission import Admission
from classifier.server.closing import StagedTransport
from classifier.server.connection import CONNECTION_KEY
from classifier.server.hangups import Hangups
from classifier.server.reading import BODY_BYTES, HEAD_BYTES, LARGE_BODY_BYTES, Reader
from classifier.settings import Settings

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers; h11 has the same limit."""

_FEW_REQUESTS: Final = 8
"""Up to so many requests in progress, there is memory for reading much of a body at once."""

_log = logging.getLogger(__name__)

_RESPONSE: Final = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s"
)


class TimeoutProtocol(HttpToolsProtocol):
    """Closes a connection whose request head arrives too slowly or is too large, and one that
    keeps sending a body after the response. Where requests wait, their bodies are not read.

    `uvicorn --http classifier.server.protocol:TimeoutProtocol` chooses it; `install` does so for a
    uvicorn that was started without the option.
    """

    settings: ClassVar[Settings] = Settings()

    admission: ClassVar[Admission | None] = None

    hangups: ClassVar[Hangups]

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
        self._watchable = WatchableConnection(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        staged: Any = StagedTransport(transport, self)
        super().connection_made(staged)
        if self.admission:
            transport.set_protocol(Reader(self, self._read_size))
        self._start_timer(self.settings.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._watchable.lost()
        super().connection_lost(exc)
        self.transport.forget()  # type: ignore[attr-defined]

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
        self.scope[CONNECTION_KEY] = self._watchable  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        if self._final and self.cycle:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if cycle.body or cycle.response_complete or self.parser.should_upgrade():
            if isinstance(cycle.body, bytes):
                cycle.body = bytearray(cycle.body)
            super().on_body(body)
            return
        cycle.body = body  # type: ignore[assignment] # uvicorn would copy it twice
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

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
        in_head = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if in_head and self._in_body and self._is_crowded():
            self.flow.pause_reading()  # until the application reads the body
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
                self.transport.abort()
            elif self._timer is None:
                self._start_timer(self.settings.body_seconds)

    def shutdown(self) -> None:
        """Like uvicorn, but a connection that was accepted without a request yet gets the time to
        send one, and requests that wait are refused."""
        if self.admission:
            self.admission.end()
        if self.cycle is None:
            self._final = True
            self._stop_timer()
            self._start_timer(self.final_seconds)
        else:
            super().shutdown()

    @property
    def has_unread_body(self) -> bool:
        """Whether a request has not arrived completely."""
        return self._in_body

    def _read_size(self) -> int:
        if self._in_head and self._is_crowded():
            return HEAD_BYTES
        return LARGE_BODY_BYTES if len(self.tasks) <= _FEW_REQUESTS else BODY_BYTES

    def _is_crowded(self) -> bool:
        # Requests whose heads have just been read are not waiting yet; uvicorn counts them.
        return self.admission is not None and (
            len(self.tasks) >= self.settings.queue or self.admission.crowded
        )

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
            self.transport.abort()

    def _refuse(self, status: bytes) -> None:
        self.transport.write(_RESPONSE % (status, len(status), status))
        self.transport.close()


class WatchableConnection:
    """Reports the disconnect of a request's client."""

    __slots__ = ("_on_disconnect", "_protocol", "_watched")

    def __init__(self, protocol: TimeoutProtocol) -> None:
        self._protocol: TimeoutProtocol | None = protocol
        self._on_disconnect: Callable[[], None] | None = None
        self._watched: int | None = None
        """The socket, if it is not read"""

    def watch(self, on_disconnect: Callable[[], None]) -> None:
        """See `classifier.server.connection.Connection`."""
        protocol = self._protocol
        if not protocol:
            on_disconnect()
            return
        self._on_disconnect = on_disconnect
        if not protocol.flow.read_paused:
            return  # its end is read
        socket = protocol.transport.get_extra_info("socket")
        if socket:
            self._watched = socket.fileno()
            protocol.hangups.watch(self._watched, protocol.transport.abort)

    def stop_watching(self) -> None:
        self._on_disconnect = None
        if self._watched is not None:
            TimeoutProtocol.hangups.stop(self._watched)
            self._watched = None

    def lost(self) -> None:
        """Called when the connection is lost. Ends the references among its objects."""
        self._protocol = None
        on_disconnect = self._on_disconnect
        self.stop_watching()
        if on_disconnect:
            on_disconnect()


def install(settings: Settings, admission: Admission | None = None) -> None:
    """Use `TimeoutProtocol`, with `settings`, for all connections of this process's uvicorn. Where
    requests have to wait for `admission`, their bodies are not read.

    uvicorn has no setting for these timeouts, and has chosen its protocol class before it imports
    the application. So that `uvicorn main:app` is protected without `--http`, instances of its
    class are made as instances of this subclass.
    """
    TimeoutProtocol.settings = settings
    TimeoutProtocol.admission = admission
    TimeoutProtocol.hangups = Hangups()
    HttpToolsProtocol.__new__ = _new  # type: ignore[method-assign, assignment]
    if "uvicorn.protocols.http.h11_impl" in sys.modules:
        _log.warning("Slow request heads have no timeout: install httptools, or drop --http h11.")


def _new(cls: type[HttpToolsProtocol], *arguments: Any, **options: Any) -> HttpToolsProtocol:
    return object.__new__(TimeoutProtocol if cls is HttpToolsProtocol else cls)
