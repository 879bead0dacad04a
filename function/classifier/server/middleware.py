"""The outermost middleware: it measures every request and completes every response."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifier.server.readiness import Readiness
from classifier.settings import Settings
from classifier.telemetry.access_log import AccessLog
from classifier.telemetry.metrics import Metrics
from classifier.telemetry.request import SCOPE_KEY, RequestRecord
from classifier.telemetry.route import route_of

SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Defaults for every response (OWASP, "HTTP Headers Cheat Sheet")"""

_CLOSE: Final = (b"connection", b"close")

_ENCODED: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

if TYPE_CHECKING:
    from classifier.server.cors import Cors
    from classifier.telemetry.tracing import Tracing

_log = logging.getLogger(__name__)


class ServiceMiddleware:
    """Metrics, access log, request id, security headers, CORS, and a response to every exception.

    The application sees HEAD as GET, and the body of its response is dropped here.
    """

    def __init__(  # noqa: PLR0913
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        settings: Settings,
        readiness: Readiness,
        respond: Callable[[Request, Exception], Response],
        tracing: "Tracing | None" = None,
    ) -> None:
        """`respond` makes the response for an exception that no handler has taken."""
        self.app = app
        self._metrics = metrics
        self._readiness = readiness
        self._access_log = AccessLog(settings.access_log)
        self._respond = respond
        self._tracing = tracing
        self._cors = _cors(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = scope[SCOPE_KEY] = RequestRecord(scope)
        if self._tracing:
            self._tracing.begin(record)
        sharing = self._cors.share(scope) if self._cors else None
        without_body = scope["method"] == "HEAD"
        if without_body:
            scope = {**scope, "method": "GET"}
        started = False

        async def complete(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                record.status = message["status"]
                headers = message["headers"]
                if sharing:
                    headers = sharing.complete(headers)
                present = {name for name, _ in headers}
                message["headers"] = [
                    *headers,
                    (b"x-request-id", record.id.encode()),
                    *(header for header in _ENCODED if header[0] not in present),
                ]
                if self._readiness.draining and _CLOSE[0] not in present:
                    # The client's next connection goes to another instance.
                    message["headers"].append(_CLOSE)
            elif without_body:
                message["body"] = b""
            await send(message)

        self._metrics.request_started(record)
        try:
            if sharing and sharing.refusal:
                raise sharing.refusal
            app = sharing.response if sharing and sharing.response else self.app
            await app(scope, receive, complete)
        except Exception as error:
            if started:
                raise
            response = self._respond(Request(scope), error)
            if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.exception("Unexpected error")
            await response(scope, receive, complete)
        finally:
            seconds = perf_counter() - record.start
            record.route = route_of(scope)
            self._metrics.request_finished(record, seconds)
            self._access_log.write(record, seconds)
            if self._tracing:
                self._tracing.end(record)


def _cors(settings: Settings) -> "Cors | None":
    if not settings.allowed_origins:
        return None
    from classifier.server.cors import Cors  # a cold start without it is shorter

    return Cors(settings.allowed_origins)
