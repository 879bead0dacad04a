"""The routing table of Lambda: `POST /` and its alias, so that cold starts do not import FastAPI.

`import fastapi` takes 0.26 s of a 0.48 s import of the handler. All other paths import it.
"""

import functools
from collections.abc import Callable

from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from classifier.api.classify import ClassifyEndpoint
from classifier.api.service import Service
from classifier.server.middleware import ServiceMiddleware


class LazyApp:
    """An ASGI application that is created by its first request."""

    def __init__(self, create: Callable[[], ASGIApp]) -> None:
        self._create = functools.cache(create)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._create()(scope, receive, send)


def create_lambda_app(service: Service) -> ServiceMiddleware:
    """Like `create_app`, for the same `service`."""
    endpoint = ClassifyEndpoint(service)

    def create_api() -> ASGIApp:
        from classifier.api.app import create_api

        return create_api(service, endpoint)

    table = Router(
        [
            Route("/", endpoint.handle, methods=["POST"]),
            Route("/invocations", endpoint.handle, methods=["POST"]),
            Mount("/", LazyApp(create_api)),
        ]
    )
    return service.middleware(table)
