"""One HTTP request over one non-blocking connection."""

import errno
import selectors
import socket
import ssl
from typing import Final

from local.loadtest.client.response import MalformedResponse, Response
from local.loadtest.target import Address

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

REFUSED: Final = "refused"
RESET: Final = "reset"
TRUNCATED: Final = "truncated response"
NO_RESPONSE: Final = "closed without a response"
NOT_HTTP: Final = "not an HTTP response"
TLS_ERROR: Final = "TLS error"

_RECEIVE_BYTES: Final = 256 * 1024
_CONNECTING: Final = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}
_NOT_YET: Final = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOTCONN}
_GONE: Final = {errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN}


class ConnectionFailed(Exception):
    """The connection ended without a complete response; the message is the kind of failure."""


class HttpConnection:
    """Create it ahead of time, `connect` it when it is due, then `advance` it whenever the socket
    is ready. All raise `ConnectionFailed`."""

    def __init__(self, number: int, address: Address, request: bytes) -> None:
        self.number = number
        self.started = 0.0
        self.response = Response()
        self._address = address
        self._unsent = memoryview(request)
        self._handshake_done = address.tls is None
        try:
            self.socket = socket.socket(address.family, socket.SOCK_STREAM)
        except OSError as error:
            raise ConnectionFailed(failure_kind(error)) from None
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.descriptor = self.socket.fileno()

    def connect(self) -> None:
        code = self.socket.connect_ex(self._address.address)
        if code not in _CONNECTING:
            raise ConnectionFailed(failure_kind(OSError(code, "")))

    def advance(self) -> int:
        """Send or receive as much as possible. Returns the event to wait for, `READ` or `WRITE`, or
        0 when the response is complete."""
        waits_for = WRITE if self._unsent or not self._handshake_done else READ
        try:
            if not self._handshake_done:
                self._do_handshake()
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
        except ssl.SSLError:
            raise ConnectionFailed(TLS_ERROR) from None
        except MalformedResponse:
            raise ConnectionFailed(NOT_HTTP) from None
        except OSError as error:
            if error.errno in _NOT_YET:
                return WRITE if self._unsent else READ
            if error.errno in _GONE and waits_for == WRITE:
                return self._read_early_response(error)
            raise ConnectionFailed(failure_kind(error)) from None

    def close(self) -> None:
        self.socket.close()

    def _do_handshake(self) -> None:
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
        self._handshake_done = True

    def _send(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]

    def _receive(self) -> bool:
        while True:
            data = self.socket.recv(_RECEIVE_BYTES)
            if not data:
                if self.response.close():
                    return True
                raise ConnectionFailed(TRUNCATED if self.response.started else NO_RESPONSE)
            if self.response.feed(data):
                return True

    def _read_early_response(self, error: OSError) -> int:
        """Read a response that arrives before the request was sent completely (413, for
        example)."""
        self._unsent = memoryview(b"")
        try:
            if self._receive():
                return 0
        except (OSError, MalformedResponse):
            pass
        raise ConnectionFailed(failure_kind(error)) from None


def failure_kind(error: OSError) -> str:
    """The kind of failure, for counts."""
    if error.errno == errno.ECONNREFUSED:
        return REFUSED
    if error.errno in _GONE or error.errno == errno.ECONNABORTED:
        return RESET
    return errno.errorcode.get(error.errno or 0, "network error")
