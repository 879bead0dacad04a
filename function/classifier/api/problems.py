"""Exceptions -> responses: problem details, or the page where a browser sent its form."""

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

from classifier.api.hugging_face import is_client
from classifier.api.negotiation import wants_page
from classifier.api.responses import ProblemResponse, page_response
from classifier.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    StoreError,
)
from classifier.telemetry.metrics import Metrics
from classifier.telemetry.request import CLIENT_DISCONNECTED

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

_METHODS: Final = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")

_log = logging.getLogger(__name__)


class ErrorResponder:
    """Turns exceptions into responses, and counts them in the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def handlers(self) -> dict[int | type[Exception], Handler]:
        """The exception handlers of the FastAPI application."""

        async def handle(request: Request, error: Exception) -> Response:
            return self.respond(request, error)

        return dict.fromkeys((ServiceError, HTTPException, ClientDisconnect), handle)

    def respond(self, request: Request, error: Exception) -> Response:
        """The response to any exception."""
        match error:
            case ClientDisconnect():
                return Response(status_code=CLIENT_DISCONNECTED)  # not read by anyone
            case ServiceError():
                refusal = error
            case HTTPException():
                refusal = _routing_error(request, error)
            case _:
                refusal = InternalError()
        if refusal.counted:
            self._metrics.count_error(refusal.kind)
        if isinstance(refusal, StoreError):
            _log.error("%s", refusal)
        return error_response(request, refusal)


def error_response(request: Request, error: ServiceError, /, **members: Any) -> Response:
    """The problem of `error`, with further `members`, or the page."""
    if wants_page(request):
        return page_response(request, [error], status=error.status, headers=error.headers)
    if is_client(request):
        members["error"] = error.message  # huggingface_hub shows nothing else of a 400
    return ProblemResponse(error, **members)


def _routing_error(request: Request, error: HTTPException) -> ServiceError:
    """Starlette and FastAPI raise 404 and 405, and nothing else here."""
    path = request.url.path
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed(request.method, path, _allowed_methods(request))
    return NotFound(f"There is nothing at {path}. POST an image to /, or see /docs.")


def _allowed_methods(request: Request) -> list[str]:
    """All methods of the request's path; the framework names those of one route. Where GET is
    possible, so is HEAD (`ServiceMiddleware`)."""
    routes: list[BaseRoute] = request.app.routes
    scope = request.scope
    scope = {**scope, "root_path": scope.get("app_root_path", "")}  # a mount has changed it
    allowed = [
        method
        for method in _METHODS
        if any(_takes(route, {**scope, "method": method}) for route in routes)
    ]
    return sorted([*allowed, "HEAD"]) if "GET" in allowed else allowed


def _takes(route: BaseRoute, scope: Scope) -> bool:
    if isinstance(route, Mount) and scope["method"] != "GET":
        return False  # all mounts are of files
    return route.matches(scope)[0] == Match.FULL
