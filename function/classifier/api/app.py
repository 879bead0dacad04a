"""The FastAPI application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.telemetry import TelemetryConfig

from classifier import __version__
from classifier.api import openapi
from classifier.api.classify import ClassifyEndpoint
from classifier.api.routes import add_routes
from classifier.api.service import Service
from classifier.server import garbage
from classifier.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

_UNTRACED: Final = frozenset(("/healthz", "/health", "/livez", "/readyz", "/ping", "/metrics"))
"""Paths of probes and of the monitoring system, which ask every few seconds"""


def create_app(service: Service) -> FastAPI:
    """The application for uvicorn, with its middleware."""
    app = create_api(service, ClassifyEndpoint(service))
    app.add_middleware(service.middleware)
    return app


def create_api(service: Service, endpoint: ClassifyEndpoint) -> FastAPI:
    """The routes and the exception handlers, without middleware."""

    app = FastAPI(
        title="Image classifier",
        description="Send a photo, get the most probable ImageNet classes.",
        version=__version__,
        openapi_tags=openapi.TAGS,
        docs_url=None,
        redoc_url=None,
        telemetry=_telemetry(service),
        lifespan=_serve(service),
        exception_handlers=service.errors.handlers(),
    )
    add_routes(app, service, endpoint)
    openapi.complete(app)
    return app


def _telemetry(service: Service) -> TelemetryConfig:
    """FastAPI makes the span of each request; `Tracing` its children, and the set-up."""
    return TelemetryConfig(
        tracing=service.tracing is not None,
        operation_spans=False,
        metrics=False,
        logs=False,
        auto_configure=False,
        exclude=lambda scope: scope["path"].removeprefix(scope.get("root_path", "")) in _UNTRACED,
    )


def _serve(service: Service) -> Any:
    """The lifespan: uvicorn runs it before it accepts a connection, however it was started."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            # uvicorn: not on Lambda
            from classifier.server.draining import drain_on_sigterm
            from classifier.server.install import install
        except ImportError:
            _log.warning("Slow request heads have no timeout: install uvicorn.")
        else:
            install(service.settings, service.admission)
            drain_on_sigterm(service.readiness, service.settings.drain_seconds)
        garbage.configure()
        tasks = [
            asyncio.create_task(garbage.collect_when(lambda: not service.admission.waiting)),
            asyncio.create_task(_keep_fresh(service.metrics)),
        ]
        try:
            yield
        except asyncio.CancelledError:
            return  # a second SIGINT ends the loop; Starlette would log a traceback
        if service.tracing:
            await run_in_threadpool(service.tracing.close)
        for task in tasks:
            task.cancel()

    return lifespan


async def _keep_fresh(metrics: Metrics) -> None:
    """Call `refresh` repeatedly, at its interval. Returns at once if it has none."""
    while (seconds := metrics.refresh_seconds) is not None:
        metrics.refresh()
        await asyncio.sleep(seconds)
