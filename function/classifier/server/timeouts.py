"""Timeouts for connections that send half a request, or nothing; uvicorn alone has none."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from classifier.errors import HeadTimeout, HeadTooLarge, ServiceError
from classifier.server.admission import Admission
from classifier.server.closing import StagedTransport
from classifier.server.hangups import Hangups
from classifier.server.keep_alive import keep_alive_seconds
from classifier.server.reading import BODY_BYTES, HEAD_BYTES, LARGE_BODY_BYTES, Reader
from classifier.server.refusals import encode
from classifier.settings import Settings

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers; also trailers, and what one read may hold of a body beside its bytes"""

_FEW_REQUESTS: Final = 8
"""Up to this many requests in progress, there is memory to read large parts of a body at once."""

_log = logging.getLogger(__name__)


class TimeoutMixin(asyncio.Protocol):
    """Closes a connection whose request head arrives too slowly or is too large, and one whose
    body is still arriving when the response is sent, in stages. Where requests wait, their bodies
    are not read.

    For uvicorn's two protocol classes, which it precedes among the bases. Their subclasses parse,
    and call the methods `_head_starts`, `_head_ends` and `_body_ends`.
    """

    settings: ClassVar[Settings] = Settings()

    admission: ClassVar[Admission | None] = None

    hangups: ClassVar[Hangups]

    final_seconds: ClassVar[float] = 1.0
    """Time for the request of a connection that was accepted right before the shutdown"""

    # Of uvicorn's classes
    cycle: Any
    flow: FlowControl
    loop: asyncio.AbstractEventLoop
    pipeline: Collection[Any] = ()
    server_state: ServerState
    tasks: set[asyncio.Task[None]]
    timeout_keep_alive: int
    timeout_keep_alive_task: asyncio.TimerHandle | None
    transport: asyncio.Transport
    timeout_keep_alive_handler: Callable[[], None]
    _unset_keepalive_if_required: Callable[[], None]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.timeout_keep_alive = keep_alive_seconds(self.timeout_keep_alive, self.settings)
        self.ws_protocol_class = None  # the service has no WebSocket
        self._in_head = True
        self._in_body = False
        self._reusable = True
        """Whether the connection may be used again when the request has arrived"""
        self._head_bytes = 0
        """Bytes of the head so far"""
        self._framing = 0
        """Bytes of chunk extensions and trailers since the last byte of the body"""
        self._refusal: bytes | None = None
        """The last response; nothing is parsed any more"""
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

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        in_head = self._in_head
        self._framing += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._refusal is not None or self.transport.is_closing():
            return
        if in_head and self._in_body and self._is_crowded():
            self.flow.pause_reading()  # until the application reads the body
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HeadTooLarge(MAX_HEAD_BYTES))
            elif self._timer is None:
                self._start_timer(self.settings.head_seconds)
        elif self._in_body and self.cycle.response_complete and self._timer is None:
            # The response came before a small body.
            self._start_timer(self.settings.body_seconds)
        elif self._in_body and self._framing > MAX_HEAD_BYTES:
            self._refuse(HeadTooLarge(MAX_HEAD_BYTES))

    def _parse(self, data: bytes) -> None:
        raise NotImplementedError

    def _head_starts(self) -> None:
        # A pipelined request may begin in the read that ended the previous one.
        self._unset_keepalive_if_required()
        self._in_head = True
        self._head_bytes = 0

    def _head_ends(self) -> None:
        self._in_head = False
        self._in_body = True
        self._framing = 0
        self._stop_timer()

    def _body_ends(self) -> None:
        self._in_body = False
        self._stop_timer()

    def _keep_alive(self) -> None:
        """Start uvicorn's keep-alive timeout, which reading the rest of a body has cancelled."""
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Like uvicorn. A refusal is the last response, after those to earlier requests."""
        is_last = not self.pipeline
        super().on_response_complete()  # type: ignore[misc]
        if self._refusal is not None and is_last and not self.transport.is_closing():
            self._end_with(self._refusal)

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
            self._reusable = False
            self.transport.hurry()  # type: ignore[attr-defined]
            super().shutdown()  # type: ignore[misc]

    @property
    def is_receiving(self) -> bool:
        """Whether a request has not arrived completely, and its rest may still arrive."""
        return self._in_head or self._in_body or self._refusal is not None

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
        if self.transport.is_closing():
            return
        if self._in_body:
            self.transport.close()
        elif not self._in_head or not self._head_bytes:
            self.transport.abort()
        elif self._is_responding():
            self._refuse(HeadTimeout(self.settings.head_seconds))
        else:
            self._end_with(self._encode(HeadTimeout(self.settings.head_seconds)))

    def _refuse(self, error: ServiceError) -> None:
        """End the connection because of what the client has sent, with a response if the client
        can tell that it belongs to that request."""
        _log.warning("Refused a request: %s", error)
        self._stop_timer()
        self._refusal = self._encode(error)
        cycle = self.cycle
        if not self._in_body:
            waits = self._is_responding()
        elif cycle.response_started:
            self.transport.close()
            return
        else:
            waits = bool(self.pipeline)
            if isinstance(self.pipeline, deque) and waits:
                self.pipeline.popleft()  # the request of this body
            cycle.disconnected = True
            cycle.message_event.set()
            self._watchable.lost()
        if not waits:
            self._end_with(self._refusal)

    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _encode(self, error: ServiceError) -> bytes:
        return encode(error, self.server_state.default_headers)

    def _end_with(self, response: bytes) -> None:
        self.transport.write(response)
        self.transport.close()


class WatchableConnection:
    """Reports the disconnect of a request's client."""

    __slots__ = ("_on_disconnect", "_protocol", "_watched")

    def __init__(self, protocol: TimeoutMixin) -> None:
        self._protocol: TimeoutMixin | None = protocol
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
            TimeoutMixin.hangups.stop(self._watched)
            self._watched = None

    def lost(self) -> None:
        """Called when the connection is lost. Ends the references among its objects."""
        self._protocol = None
        on_disconnect = self._on_disconnect
        self.stop_watching()
        if on_disconnect:
            on_disconnect()
