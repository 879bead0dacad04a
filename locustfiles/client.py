"""HTTP requests with gevent, sent when they are due.

Locust's FastHttpUser takes 0.45 ms of CPU for each request, of which most is spent between the due
time and the connection: building URLs and headers, cookies, a pool. A thousand users would start
over half a second. Here all of that is done before a request is due, which leaves 0.05 ms.
"""

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Sequence
from typing import NamedTuple

import gevent
from gevent.socket import wait_write

from local.loadtest.engine.coding import UndecodableBody, decode
from local.loadtest.engine.connection import (
    NO_RESPONSE,
    TRUNCATED,
    ConnectionFailed,
    failure_kind,
)
from local.loadtest.engine.response import MalformedResponse, Response
from local.loadtest.payload import Payload
from local.loadtest.result import classify_response
from local.loadtest.run import ANSWERED
from local.loadtest.target import HttpOptions, parse_url, post_request, resolve
from local.loadtest.traces import Traces

TIMEOUT = "timeout"


class Outcome(NamedTuple):
    """What became of a request. Times are seconds of `time.perf_counter`."""

    due: float
    started: float
    """When its connection was opened."""
    ended: float
    failure: str
    """Empty if it was answered with predictions, else the kind of failure."""
    size: int
    """Bytes of the response's body."""


class Client:
    """Sends `payloads` in turn to the service at `url`, each over a new connection."""

    def __init__(
        self, url: str, payloads: Sequence[Payload], http: HttpOptions, timeout: float
    ) -> None:
        """timeout: seconds from opening a connection to the end of the response.

        Raises `UsageError` if nothing listens at `url`.
        """
        parts = parse_url(url)
        requests = [post_request(parts, body, headers=http.headers) for body in payloads]
        self._requests = itertools.cycle(requests)
        self._traces = Traces.new() if http.traced else None
        self._numbers = itertools.count()
        self._address = resolve(parts, http.tls)
        self._timeout = timeout

    def send(self, due: float) -> Outcome:
        """Send the next request at `due` (seconds of `time.perf_counter`) and wait for its
        response."""
        request = next(self._requests)
        if self._traces:
            request = self._traces.mark(request, next(self._numbers))
        response = Response()
        started, failure = due, TIMEOUT
        try:
            with self._socket() as connection:
                sleep_until(due)
                started = time.perf_counter()
                with gevent.Timeout(self._timeout, False):
                    self._exchange(connection, request, response)
                    failure = ANSWERED
        except ConnectionFailed as error:
            failure = str(error)
        except MalformedResponse as malformed:
            failure = str(malformed)
        except OSError as error:
            failure = failure_kind(error)
        ended = time.perf_counter()
        if failure == ANSWERED:
            failure = _classify(response)
        return Outcome(due, started, ended, failure, len(response.body))

    def _socket(self) -> socket.socket:
        connection = socket.socket(self._address.family, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)  # `connect` returns at once: other requests are due, too
        return connection

    def _exchange(self, connection: socket.socket, request: bytes, response: Response) -> None:
        with contextlib.suppress(BlockingIOError):
            connection.connect(self._address.address)
        connection.setblocking(True)
        wait_write(connection.fileno())
        if code := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, "")
        if self._address.tls is None:
            _post(connection, request, response)
            return
        with self._address.tls.wrap_socket(
            connection, server_hostname=self._address.host
        ) as secured:
            _post(secured, request, response)


def _post(connection: socket.socket, request: bytes, response: Response) -> None:
    """Raises `ConnectionFailed` if the connection ends before the response does."""
    # A service may refuse a request (413) and close before it has read all of it.
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(request)
    with contextlib.suppress(ssl.SSLEOFError):
        while data := connection.recv(65536):
            if response.feed(data):
                return
    if not response.close():
        raise ConnectionFailed(TRUNCATED if response.started else NO_RESPONSE)


def _classify(response: Response) -> str:
    try:
        body = decode(response.body, response.headers.get("content-encoding", ""))
    except UndecodableBody as error:
        return str(error)
    return classify_response(response.status, response.headers, body)


def sleep_until(due: float) -> None:
    """due: seconds of `time.perf_counter`."""
    while (left := due - time.perf_counter()) > 0:
        gevent.sleep(left)
