"""HTTP: the routes."""

import functools
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.telemetry import TelemetryConfig
from starlette.responses import HTMLResponse, Response

from classifier import answers, openapi, replies
from classifier.access import check_key
from classifier.classify import Classifier
from classifier.docs import HEADERS as DOCS_HEADERS
from classifier.docs import docs_page
from classifier.endpoint import ClassifyEndpoint
from classifier.page import ASSETS
from classifier.problems import JSONResponse
from classifier.service import Service
from classifier.settings import Settings
from classifier.workers import Workers

if TYPE_CHECKING:
    from classifier.objects import ImageStore

_NO_TELEMETRY: Final = TelemetryConfig(
    tracing=False, metrics=False, logs=False, auto_configure=False
)


def create_app(classifier: Classifier, settings: Settings) -> Service:
    """The ASGI application that answers with `classifier`."""
    app = FastAPI(
        title="Image classifier",
        description="Send a photo, get the most probable ImageNet classes.",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    card = classifier.model.card
    workers = Workers(settings.threads, settings.queue, classifier.metrics.waited)

    @functools.cache
    def store() -> "ImageStore":
        from classifier.objects import ImageStore  # boto3: only for those who use it

        return ImageStore(settings.bucket, max_bytes=settings.max_object_bytes)

    @app.post(
        "/uploads",
        summary="A place for an image too large for a request",
        response_model=answers.Upload,
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
        return replies.page(request, [])

    @app.get("/page/{name}", include_in_schema=False)
    async def page_asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        content, media_type = ASSETS[name]
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Is the service up?", response_model=answers.Health)
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

    replies.add_error_handlers(app, classifier.metrics)
    openapi.complete(app, settings)
    endpoint = ClassifyEndpoint(classifier, settings, workers, store)
    return Service(app, endpoint, workers, classifier.metrics, settings)
