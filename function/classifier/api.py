"""HTTP: the routes."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.telemetry import TelemetryConfig
from starlette.responses import HTMLResponse, Response

from classifier import answers, openapi, replies
from classifier.classify import Classification, Classifier
from classifier.images import ImageError
from classifier.page import ASSETS
from classifier.problems import JSONResponse
from classifier.settings import Settings
from classifier.uploads import Limits, read_key, read_uploads

if TYPE_CHECKING:
    from classifier.objects import ImageStore

T = TypeVar("T")

_NO_TELEMETRY: Final = TelemetryConfig(
    tracing=False, metrics=False, logs=False, auto_configure=False
)


def create_app(classifier: Classifier, settings: Settings) -> FastAPI:
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
    workers = ThreadPoolExecutor(settings.threads, thread_name_prefix="classify")
    limits = Limits(
        bytes=settings.max_bytes,
        files=settings.max_files,
        way_out=" POST /uploads tells where to put larger ones." if settings.bucket else "",
    )

    async def outside_loop(function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(workers, function, *arguments)

    def classify(data: bytes, top_k: int) -> Classification | ImageError:
        try:
            return classifier.classify(data, top_k)
        except ImageError as error:
            return error

    @functools.cache
    def store() -> "ImageStore":
        from classifier.objects import ImageStore  # boto3: only for those who use it

        return ImageStore(settings.bucket, max_bytes=settings.max_object_bytes)

    async def read_images(request: Request) -> list[bytes]:
        if settings.bucket:
            key = await read_key(request.headers, request.stream())
            if key is not None:
                return [await outside_loop(lambda: store().fetch_upload(key))]
        return await read_uploads(request.headers, request.stream(), limits)

    @app.post(
        "/",
        summary="Classify one image or several",
        responses=openapi.CLASSIFY_RESPONSES,
        openapi_extra={"requestBody": openapi.CLASSIFY_BODY},
    )
    async def classify_images(
        request: Request,
        top_k: Annotated[int, Query(ge=1, le=100, description="Classes to answer with")] = 5,
    ) -> Response:
        """The answer is a result for one image, and a list of results, in order, for several."""
        images = await read_images(request)
        outcomes = await asyncio.gather(*(outside_loop(classify, each, top_k) for each in images))
        return replies.answer(request, outcomes, card.name)

    @app.post(
        "/uploads",
        summary="A place for an image too large for a request",
        response_model=answers.Upload,
        responses={404: openapi.problem_response("This deployment has no bucket")},
    )
    async def offer_upload(request: Request) -> Response:
        """POST the image there as a form: the `fields`, a `Content-Type` that starts with
        `image/`, and last the `file`. Then POST `{"key": ...}` to `/`."""
        if not settings.bucket:
            raise HTTPException(404, "This deployment takes no uploads: BUCKET is not set.")
        return JSONResponse(await outside_loop(lambda: store().offer_upload()))

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

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        # A relative address, since the path that a gateway puts in front is not known here.
        return get_swagger_ui_html(openapi_url="openapi.json", title=f"{app.title}: API")

    replies.add_error_handlers(app, classifier.metrics)
    openapi.complete(app)
    return app
