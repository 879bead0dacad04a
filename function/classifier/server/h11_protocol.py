"""HTTP/1.1 with h11: uvicorn's protocol for `--http h11`, and where httptools is not installed,
with timeouts, and to the letter of RFC 9112."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

from classifier.errors import HeadTooLarge, MalformedRequest, ServiceError
from classifier.server.closing import is_small_body
from classifier.server.connection import CONNECTION_KEY
from classifier.server.heads import check_head, origin_form
from classifier.server.timeouts import MAX_HEAD_BYTES, TimeoutMixin

_EMPTY_LINE: Final = b"\r\n"


class H11TimeoutProtocol(TimeoutMixin, H11Protocol):  # type: ignore[misc] # attributes' types
    """Like `classifier.server.protocol.TimeoutProtocol`, which is faster."""

    conn: "_StrictConnection"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _StrictConnection(self._on_event)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.conn.forget()

    def handle_events(self) -> None:
        """Like uvicorn. Notices where a head starts, of which h11 has no event."""
        try:
            super().handle_events()
        except ServiceError as error:
            self._refuse(error)
            return
        if self.scope is not None and CONNECTION_KEY not in self.scope:
            self.scope[CONNECTION_KEY] = self._watchable  # type: ignore[typeddict-unknown-key]
            if self._final:
                self.cycle.keep_alive = False
        if self._in_head or self.conn.their_state is not h11.IDLE:
            return
        if self.conn.trailing_data[0]:
            self._head_starts()
        else:
            self._keep_alive()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_head and self._timer is None:  # half a head had arrived before the response
            self._head_bytes = len(self.conn.trailing_data[0])
            self._start_timer(self.settings.head_seconds)

    def _should_upgrade(self) -> bool:
        return False

    def _parse(self, data: bytes) -> None:
        self.conn.receive_data(data)
        self.handle_events()

    def _on_event(self, event: object) -> None:
        match event:
            case h11.Request():
                self._head_ends()
            case h11.Data():
                self._framing = 0
            case h11.EndOfMessage():
                self._body_ends()


class _StrictConnection(h11.Connection):
    """Raises `ServiceError` for a request that is refused."""

    def __init__(self, on_event: Callable[[object], None]) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._on_event: Callable[[object], None] | None = on_event
        self._has_small_body = False

    def forget(self) -> None:
        """End the reference to the protocol, which refers to this."""
        self._on_event = None

    def next_event(self) -> Any:
        """Like h11, but ignores empty lines before a request (RFC 9112, section 2.2)."""
        if self.their_state is h11.IDLE:
            while self.trailing_data[0].startswith(_EMPTY_LINE):
                self._receive_buffer.maybe_extract_at_most(len(_EMPTY_LINE))
            if self.trailing_data[0] == b"\r":
                return h11.NEED_DATA
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            raise _fault(error) from error
        if isinstance(event, h11.Request):
            event = _checked(event)
            self._has_small_body = is_small_body(event.headers)
        if self._on_event:
            self._on_event(event)
        return event

    def send(self, event: Any) -> Any:
        """An early response closes the connection, unless the body is small. Without
        "100 Continue", a body may or may not follow the response."""
        is_early = self.their_state is h11.SEND_BODY and not self._has_small_body
        closes = is_early or self.they_are_waiting_for_100_continue
        if isinstance(event, h11.Response) and closes:
            headers = [*event.headers, CLOSE_HEADER]
            event = h11.Response(
                status_code=event.status_code, headers=headers, reason=event.reason
            )
        return super().send(event)


def _checked(request: h11.Request) -> h11.Request:
    """`request` with a path as its target. Raises `ServiceError`."""
    method, target = request.method, request.target
    check_head(request.http_version.decode("ascii"), method, target, request.headers)
    path = origin_form(target, method)
    if path == target:
        return request
    return h11.Request(
        method=method, target=path, headers=request.headers, http_version=request.http_version
    )


def _fault(error: h11.RemoteProtocolError) -> ServiceError:
    if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return HeadTooLarge(MAX_HEAD_BYTES)
    reason, *_ = str(error).split(": bytearray")  # what the client has sent
    return MalformedRequest(reason)
