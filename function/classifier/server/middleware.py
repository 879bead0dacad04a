"""The outermost layer of the application: every request is watched, and every answer is safe."""

import logging
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifier.server.body import Unread
from classifier.settings import Settings
from classifier.telemetry.access_log import RequestLog
from classifier.telemetry.metrics import Metrics
from classifier.telemetry.request import KEY, Exchange

SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""What every answer has, where it does not say otherwise (OWASP, "HTTP Headers Cheat Sheet")."""

_ENCODED: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class Service:
    """A layer of ASGI: `POST /` goes to `classify`, all else to `app`.

    That one path goes past FastAPI because routing, validation and eight layers of middleware
    cost more there than all that is done here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        classify: ASGIApp,
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        self._app = app
        self._classify = classify
        self._metrics = metrics
        self._settings = settings
        self._log = RequestLog(settings.access_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            if scope["type"] == "lifespan":
                _guard_connections(receive, self._settings)
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = scope[KEY] = Exchange(scope)
        unread = None
        if exchange.closes:
            unread = Unread(receive)
            receive = unread.receive

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                if unread:
                    await unread.discard(self._settings.max_bytes)
                exchange.status = message["status"]
                headers = message["headers"]
                present = {name for name, _ in headers}
                message["headers"] = [
                    *headers,
                    (b"x-request-id", exchange.id.encode()),
                    *(header for header in _ENCODED if header[0] not in present),
                ]
            await send(message)

        self._metrics.began()
        try:
            if exchange.method == "POST" and exchange.path == f"{scope.get('root_path', '')}/":
                await self._classify(scope, receive, complete)
            else:
                await self._app(scope, receive, complete)
        finally:
            seconds = perf_counter() - exchange.start
            self._metrics.ended(exchange.status, seconds)
            self._log.write(exchange, seconds)


def _guard_connections(receive: Receive, settings: Settings) -> None:
    try:
        from classifier.server.protocol import guard  # uvicorn: not on Lambda
    except ImportError:
        logging.getLogger(__name__).warning(
            "Requests that are sent by halves are waited for without end: install httptools."
        )
    else:
        guard(receive, settings)
