"""HTTP: the routes beside `POST /`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from classifier.api import openapi, responses, schemas
from classifier.api.auth import check_key
from classifier.api.multipart import UploadError
from classifier.api.pages.docs import HEADERS as DOCS_HEADERS
from classifier.api.pages.docs import docs_page
from classifier.api.pages.home import ASSETS
from classifier.api.problems import JSONResponse, StoreError
from classifier.classifier import Classifier
from classifier.server.pool import Workers
from classifier.settings import Settings
from classifier.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from classifier.s3 import ImageStore

_NO_TELEMETRY: Final = TelemetryConfig(
    tracing=False, metrics=False, logs=False, auto_configure=False
)


class _Layered(FastAPI):
    """A FastAPI with a layer before all others, before those of the framework too."""

    def __init__(self, layer: Callable[[ASGIApp], ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._first = layer(super().__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._first(scope, receive, send)


def create_api(
    classifier: Classifier,
    settings: Settings,
    workers: Workers,
    store: Callable[[], "ImageStore"],
    layer: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> FastAPI:
    """The application without `POST /`, of which it has the documentation alone. `layer` is put
    before it."""
    app = _Layered(
        layer,
        title="Image classifier",
        description="Send a photo, get the most probable ImageNet classes.",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    card = classifier.model.card

    @app.post(
        "/uploads",
        summary="A place for an image too large for a request",
        response_model=schemas.Upload,
        include_in_schema=bool(settings.bucket),
        responses={
            502: openapi.problem_response("The bucket does not answer"),
            503: openapi.problem_response("Too many requests; Retry-After tells when to try again"),
        },
    )
    async def offer_upload(request: Request) -> Response:
        """POST the image there as a form: the `fields`, a `Content-Type` that starts with
        `image/`, and last the `file`. Then POST `{"key": ...}` to `/`."""
        check_key(request, settings.api_key)
        if not settings.bucket:
            raise HTTPException(404, "This deployment takes no uploads: BUCKET is not set.")
        workers.check_room()
        offers = [workers.give(lambda: store().offer_upload())]
        return JSONResponse((await workers.run(offers, request.receive))[0])

    @app.head("/", include_in_schema=False)
    @app.get("/", summary="The page", response_class=HTMLResponse)
    async def show_page(request: Request) -> Response:
        """A form to upload images with; it works without JavaScript too."""
        return responses.page(request, [])

    @app.get("/page/{name}", include_in_schema=False)
    async def page_asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        content, media_type = ASSETS[name]
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Is the service up?", response_model=schemas.Health)
    async def health() -> Response:
        return JSONResponse({"status": "ok", "model": card.name})

    @app.get("/model", summary="The model card")
    async def model_card() -> dict[str, Any]:
        return card.content

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        exposition = classifier.metrics.exposition()
        if exposition is None:
            raise HTTPException(404)
        content, media_type = exposition
        return Response(content, headers={"Content-Type": media_type})

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        base = request.scope.get("root_path", "")
        return HTMLResponse(docs_page(app.openapi(), base), headers=DOCS_HEADERS)

    _answer_errors(app, classifier.metrics)
    openapi.complete(app, settings)
    return app


def _answer_errors(app: FastAPI, metrics: Metrics) -> None:
    """Answer every error as a problem."""

    async def handle(request: Request, raised: Exception) -> Response:
        response = responses.error(request, raised, metrics)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(_methods(request))
        return response

    for kind in (UploadError, StoreError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, handle)


def _methods(request: Request) -> list[str]:
    """All methods that the request's path takes; the framework names those of one route alone."""
    path = get_route_path(request.scope)
    found = {"POST"} if path == "/" else set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.path_regex.match(path):
            found |= route.methods or set()
    return sorted(found)
