"""HTTP: the routes, and how answers and errors are written."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response

from classifier import answers, openapi, page, problems
from classifier.classify import Classification, classify
from classifier.images import ImageError
from classifier.model import Model
from classifier.settings import Settings
from classifier.uploads import Limits, UploadError, read_uploads

_NO_TELEMETRY: Final = TelemetryConfig(
    tracing=False, metrics=False, logs=False, auto_configure=False
)


class JSONResponse(Response):
    """JSON in UTF-8 that ends its line, so that a shell's prompt comes on the next one."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class ProblemResponse(JSONResponse):
    media_type = problems.CONTENT_TYPE


def create_app(model: Model, settings: Settings) -> FastAPI:
    """The ASGI application that answers with `model`."""
    app = FastAPI(
        title="Image classifier",
        description="Send a photo, get the most probable ImageNet classes.",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    workers = ThreadPoolExecutor(settings.threads, thread_name_prefix="classify")
    limits = Limits(bytes=settings.max_bytes, files=settings.max_files)

    async def classify_outside_loop(data: bytes, top_k: int) -> Classification | ImageError:
        def run() -> Classification | ImageError:
            try:
                return classify(model, data, top_k=top_k, max_pixels=settings.max_pixels)
            except ImageError as error:
                return error

        return await asyncio.get_running_loop().run_in_executor(workers, run)

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
        images = await read_uploads(request.headers, request.stream(), limits)
        outcomes = await asyncio.gather(*(classify_outside_loop(each, top_k) for each in images))
        return _answer(request, outcomes, model.card.name)

    @app.head("/", include_in_schema=False)
    @app.get("/", summary="The page", response_class=HTMLResponse)
    async def show_page() -> Response:
        """A form to upload images with; it works without JavaScript too."""
        return _html([])

    @app.get("/page/{name}", include_in_schema=False)
    async def page_asset(name: str) -> Response:
        if name not in page.ASSETS:
            raise HTTPException(404)
        content, media_type = page.ASSETS[name]
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Is the service up?", response_model=answers.Health)
    async def health() -> Response:
        return JSONResponse({"status": "ok", "model": model.card.name})

    @app.get("/model", summary="The model card")
    async def model_card() -> dict[str, Any]:
        return model.card.content

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        # A relative address, since the path that a gateway puts in front is not known here.
        return get_swagger_ui_html(openapi_url="openapi.json", title=f"{app.title}: API")

    _add_error_handlers(app)
    openapi.complete(app)
    return app


def _answer(
    request: Request, outcomes: Sequence[Classification | ImageError], model: str
) -> Response:
    results: list[dict[str, Any]] = [
        problems.problem_of(outcome)
        if isinstance(outcome, ImageError)
        else {"predictions": outcome.predictions, "model": model}
        for outcome in outcomes
    ]
    failed = [number for number, result in enumerate(results) if "status" in result]
    if failed and len(results) > 1:
        first = results[failed[0]]
        detail = f"Image {failed[0] + 1} of {len(results)}: {first['detail']}"
        return _problem(request, problems.problem(first["status"], detail), results=results)
    if failed:
        return _problem(request, results[0])
    headers = {"Server-Timing": _server_timing(outcomes)}
    if _wants_html(request):
        return _html(results, headers=headers)
    return JSONResponse(results[0] if len(results) == 1 else results, headers=headers)


def _server_timing(outcomes: Sequence[Classification | ImageError]) -> str:
    """Durations in milliseconds, summed over the images (W3C Server Timing)."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Classification)]
    decode = sum(each.decode_seconds for each in done)
    infer = sum(each.infer_seconds for each in done)
    return f"decode;dur={decode * 1e3:.2f}, infer;dur={infer * 1e3:.2f}"


def _wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _html(
    results: Sequence[Mapping[str, Any]], status: int = 200, headers: Mapping[str, str] = {}
) -> HTMLResponse:
    return HTMLResponse(page.render(results), status, {**page.HEADERS, "Vary": "Accept", **headers})


def _problem(
    request: Request,
    problem: dict[str, Any],
    *,
    results: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] = {},
) -> Response:
    if _wants_html(request):
        return _html(results or [problem], problem["status"], headers)
    content = problem if results is None else {**problem, "results": results}
    return ProblemResponse(content, problem["status"], dict(headers))


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(UploadError)
    async def upload_error(request: Request, error: UploadError) -> Response:
        return _problem(request, problems.problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        detail = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()
        )
        return _problem(request, problems.problem(422, f"{detail}."))

    @app.exception_handler(StarletteHTTPException)
    async def http_error(request: Request, error: StarletteHTTPException) -> Response:
        detail = {
            404: f"There is nothing at {request.url.path}. POST an image to /, or see /docs.",
            405: f"{request.method} is not possible at {request.url.path}. See /docs.",
        }.get(error.status_code, str(error.detail))
        problem = problems.problem(error.status_code, detail)
        return _problem(request, problem, headers=error.headers or {})

    @app.exception_handler(ClientDisconnect)
    async def client_gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        detail = "The service failed to answer; the error is in its log. Try again later."
        return _problem(request, problems.problem(500, detail))
