"""Failures of S3, put in front of a server: each object fails a planned number of times."""

import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from werkzeug import Response

from tests.support.s3 import Application

CODES: Final = {
    "SlowDown": (503, "Please reduce your request rate."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
}
RESET: Final = "reset"
"""The connection is closed before the response."""
CUT: Final = "cut"
"""The connection is closed within the body."""

KINDS: Final = (*CODES, RESET, CUT)


class Faults:
    """Give it to `s3_server`; `plan` tells it what fails."""

    def __init__(self) -> None:
        self.served: Counter[str] = Counter()
        self._plans: dict[str, deque[str]] = {}
        self._lock = threading.Lock()
        self._application: Application | None = None

    def around(self, application: Application) -> Application:
        self._application = application
        return self

    def plan(self, bucket: str, failures: Mapping[str, Sequence[str]]) -> None:
        """For each key, the kinds of failure of its next GETs; others succeed."""
        with self._lock:
            self._plans = {
                f"/{bucket}/{quote(key)}": deque(kinds) for key, kinds in failures.items()
            }

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        assert self._application
        kind = self._next(environ) if environ["REQUEST_METHOD"] == "GET" else None
        if kind is None:
            return self._application(environ, start)
        if kind in CODES:
            status, message = CODES[kind]
            body = f"<Error><Code>{kind}</Code><Message>{message}</Message></Error>"
            return Response(body, status, content_type="application/xml")(environ, start)
        connection: socket.socket = environ["werkzeug.socket"]
        if kind == RESET:
            connection.shutdown(socket.SHUT_RDWR)
            return Response(b"")(environ, start)
        return _cut(self._application(environ, start), connection)

    def _next(self, environ: Mapping[str, Any]) -> str | None:
        with self._lock:
            plan = self._plans.get(environ["REQUEST_URI"].partition("?")[0])
            if not plan:
                return None
            kind = plan.popleft()
            self.served[kind] += 1
            return kind


def _cut(body: Iterable[bytes], connection: socket.socket) -> Iterator[bytes]:
    content = b"".join(body)
    yield content[: len(content) // 2]
    connection.shutdown(socket.SHUT_RDWR)
