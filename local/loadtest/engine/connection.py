"""One non-blocking connection, which carries one HTTP request or several in turn."""

import errno
import math
import selectors
import socket
import ssl
from time import perf_counter
from typing import Final

from local.loadtest.engine.response import MalformedResponse, Response
from local.loadtest.target import Address

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

REFUSED: Final = "refused"
RESET: Final = "reset"
TRUNCATED: Final = "truncated response"
NO_RESPONSE: Final = "closed without a response"
TLS_ERROR: Final = "TLS error"
UNTRUSTED: Final = "untrusted certificate (see --cacert and --insecure)"

_RECEIVE_BYTES: Final = 64 * 1024
"""A larger buffer would be mapped and unmapped for each call."""

_RECEIVED_AT_ONCE: Final = 16
"""Calls of recv between two looks at other requests and at the time. The selector reports what is
left: a record of TLS fits into the buffer, so nothing stays in its layer."""

_CONNECTING: Final = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}
_NOT_YET: Final = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOTCONN}
_GONE: Final = {errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN}
_NEVER: Final = math.nan


class ConnectionFailed(Exception):
    """The connection ended without a complete response; the message is the kind of failure."""


class HttpConnection:
    """Create it ahead of time. For each request, call `begin`, for the first one `connect`, then
    `advance` whenever the socket is ready. All but `begin` raise `ConnectionFailed`. Times are
    seconds of `time.perf_counter`; NaN: did not happen."""

    __slots__ = (
        "_address",
        "_ready",
        "_unsent",
        "connected",
        "descriptor",
        "due",
        "first_byte",
        "index",
        "request",
        "response",
        "reused",
        "sent",
        "socket",
        "started",
        "watched",
    )

    def __init__(self, address: Address) -> None:
        self._address = address
        self._ready = False
        """Whether TCP (and TLS) are."""
        self.response = Response()
        self.watched = 0
        """The event for which it is registered with a selector."""
        self.reused = False
        """Whether the request in flight is not the first one."""
        try:
            self.socket = socket.socket(address.family, socket.SOCK_STREAM)
        except OSError as error:
            raise ConnectionFailed(failure_kind(error)) from None
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.descriptor = self.socket.fileno()

    def begin(self, index: int, due: float, request: bytes, started: float) -> None:
        """Make `request` the one in flight. `index` and `due` are for the caller."""
        self.reused = self._ready
        self.index = index
        self.due = due
        self.request = request
        self.started = started
        self.connected = self.sent = self.first_byte = _NEVER
        if self.reused:
            self.response.release()
            self.response = Response()
        self._unsent: bytes | memoryview = request

    def connect(self) -> None:
        code = self.socket.connect_ex(self._address.address)
        if code not in _CONNECTING:
            raise ConnectionFailed(failure_kind(OSError(code, "")))

    def advance(self) -> int:
        """Send or receive as much as possible. Returns the event to wait for, `READ` or `WRITE`, or
        0 when the response is complete."""
        waits_for = WRITE if self._unsent or not self._ready else READ
        try:
            if self._unsent:
                self._send()
                return READ
            return 0 if self._receive() else READ
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return WRITE
        except ssl.SSLEOFError:
            raise ConnectionFailed(TRUNCATED if self.response.started else NO_RESPONSE) from None
        except ssl.SSLError as error:
            raise ConnectionFailed(failure_kind(error)) from None
        except MalformedResponse as malformed:
            raise ConnectionFailed(str(malformed)) from None
        except OSError as error:
            if error.errno in _NOT_YET:
                return WRITE if self._unsent else READ
            if error.errno in _GONE and waits_for == WRITE:
                return self._read_early_response(error)
            raise ConnectionFailed(failure_kind(error)) from None

    def is_idle_open(self) -> bool:
        """Whether a connection without a request, whose socket is ready, can take another one: not
        if the server has closed it, or has sent something."""
        try:
            self.socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):  # a TLS session ticket, for example
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        self.socket.close()
        self.response.release()

    def _handshake(self) -> None:
        """The TLS handshake; starts when TCP is connected."""
        if not isinstance(self.socket, ssl.SSLSocket):
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "")
            self.socket.getpeername()  # ENOTCONN: not yet
            assert self._address.tls is not None
            self.socket = self._address.tls.wrap_socket(
                self.socket, do_handshake_on_connect=False, server_hostname=self._address.host
            )
        self.socket.do_handshake()
        self._ready = True
        self.connected = perf_counter()

    def _send(self) -> None:
        if not self._ready and self._address.tls is not None:
            self._handshake()
        now = perf_counter()
        count = self.socket.send(self._unsent)
        if not self._ready:
            self._ready = True
            self.connected = now
        while count < len(self._unsent):
            self._unsent = memoryview(self._unsent)[count:]
            count = self.socket.send(self._unsent)
        self._unsent = b""
        self.sent = perf_counter()

    def _receive(self) -> bool:
        for _ in range(_RECEIVED_AT_ONCE):
            data = self.socket.recv(_RECEIVE_BYTES)
            if not data:
                if self.response.close():
                    return True
                raise ConnectionFailed(TRUNCATED if self.response.started else NO_RESPONSE)
            if self.first_byte != self.first_byte:  # NaN
                self.first_byte = perf_counter()
            if self.response.feed(data):
                return True
        return False

    def _read_early_response(self, error: OSError) -> int:
        """Read a response that arrives before the request was sent completely (413, for
        example)."""
        self._unsent = b""
        try:
            if self._receive():
                self.response.keeps_open = False
                return 0
        except (OSError, MalformedResponse):
            pass
        raise ConnectionFailed(failure_kind(error)) from None


def failure_kind(error: OSError) -> str:
    """The kind of failure, for counts."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UNTRUSTED
    if isinstance(error, ssl.SSLError):
        return TLS_ERROR
    if error.errno == errno.ECONNREFUSED:
        return REFUSED
    if error.errno in _GONE or error.errno == errno.ECONNABORTED:
        return RESET
    return errno.errorcode.get(error.errno or 0, "network error")
