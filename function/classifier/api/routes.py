"""Every route, and its documentation."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Query, Request, Security
from fastapi.params import Depends as DependsParam
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from classifier.api import schemas
from classifier.api.auth import check_key
from classifier.api.classify import DEFAULT_TOP_K, MAX_TOP_K, ClassifyEndpoint
from classifier.api.negotiation import VARY, prefers_json
from classifier.api.pages import docs
from classifier.api.pages.home import STATIC
from classifier.api.responses import PROBLEM_TYPE, JSONResponse, page_response
from classifier.api.service import Service
from classifier.errors import NotFound
from classifier.images import FORMATS

_BEARER: Final = HTTPBearer(scheme_name="key", auto_error=False)

_FILE: Final = {"type": "string", "format": "binary", "description": f"One of {', '.join(FORMATS)}"}

_BODIES: Final[dict[str, Any]] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "array", "items": _FILE, "minItems": 1}},
        },
        "encoding": {"file": {"contentType": "image/*"}},
    },
    "image/*": {"schema": _FILE},
    "application/octet-stream": {"schema": _FILE},
}

_BASE64: Final = {
    "type": "string",
    "format": "byte",
    "minLength": 1,
    "description": "In base64, or a data URI",
}

_JSON_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"anyOf": [_BASE64, {"type": "array", "items": _BASE64, "minItems": 1}]},
        "top_k": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_TOP_K},
    },
}

_JSON_OR_KEY_BODY: Final[dict[str, Any]] = {
    "oneOf": [
        {**_JSON_BODY, "not": {"required": ["key"]}},
        {
            "type": "object",
            "required": ["key"],
            "properties": {"key": {"type": "string", "description": "From POST /uploads"}},
            "not": {"required": ["image"]},
        },
    ]
}

_PROBLEMS: Final = {
    400: "Malformed multipart, JSON or compressed body",
    408: "The body did not arrive in time",
    413: "Too many bytes, pixels or images",
    415: "Not an image of an accepted format",
    422: "No file in the request, an image that does not decode, or an invalid parameter",
    503: "Too many requests; Retry-After says when to retry",
}

_BUCKET_PROBLEMS: Final = {
    403: "POST /uploads did not return this key",
    404: "No object under this key",
    502: "The bucket does not respond",
}

_KEY_PROBLEM: Final = {401: "Missing or invalid API key"}

AsList = Annotated[bool, Query(alias="list", description="A list of results, also for one image")]

TopK = Annotated[int, Query(ge=1, le=MAX_TOP_K, description="Number of classes in the response")]


class _Assets(StaticFiles):
    """Files of the page. Browsers revalidate them, so that a new version is used at once."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_routes(app: FastAPI, service: Service, endpoint: ClassifyEndpoint) -> None:
    """Add all routes to `app`."""
    settings, card = service.settings, service.classifier.model.card

    async def require_key(request: Request, _: Annotated[Any, Security(_BEARER)]) -> None:
        check_key(request, settings.api_key)

    protected: Sequence[DependsParam] = [Depends(require_key)] if settings.api_key else []
    key_problem = _KEY_PROBLEM if settings.api_key else {}
    json_body = _JSON_OR_KEY_BODY if settings.bucket else _JSON_BODY
    bucket_problems = _BUCKET_PROBLEMS if settings.bucket else {}

    class ClassifyRoute(APIRoute):
        """The request goes straight to the endpoint: to resolve parameters and dependencies takes
        an eighth of the event loop's time. The function documents them."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            return endpoint.handle

    async def classify(top_k: TopK = DEFAULT_TOP_K, as_list: AsList = False) -> None:
        """The response is a result for one image, and a list of results, in order, for several or
        with `list=true`."""

    app.router.add_api_route(
        "/",
        classify,
        methods=["POST"],
        route_class_override=ClassifyRoute,
        summary="Classify one image or several",
        operation_id="classify",
        response_model=schemas.Result | list[schemas.Result],
        response_description="The most probable class first",
        responses=_problems(_PROBLEMS | bucket_problems | key_problem),
        dependencies=protected,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {**_BODIES, "application/json": {"schema": json_body}},
            }
        },
    )

    # As Amazon SageMaker calls a container's model.
    app.router.add_api_route(
        "/invocations",
        classify,
        methods=["POST"],
        route_class_override=ClassifyRoute,
        include_in_schema=False,
    )

    @app.post(
        "/uploads",
        summary="A place for an image too large for a request",
        response_model=schemas.Upload,
        include_in_schema=bool(settings.bucket),
        responses=_problems({502: _BUCKET_PROBLEMS[502], 503: _PROBLEMS[503]} | key_problem),
        dependencies=protected,
    )
    async def offer_upload(request: Request) -> Response:
        """POST the image there as a form: the `fields`, a `Content-Type` that starts with
        `image/`, and last the `file`. Then POST `{"key": ...}` to `/`."""
        if not settings.bucket:
            raise NotFound("This deployment takes no uploads: BUCKET is not set.")
        service.pool.ensure_capacity()
        job = service.pool.submit(lambda: service.store.offer_upload())  # noqa: PLW0108 - lazily
        (offer,) = await service.pool.gather([job], request)
        return JSONResponse(asdict(offer))

    @app.get("/", summary="The page", response_class=HTMLResponse)
    async def show_page(request: Request) -> Response:
        """A form to upload images with; it works without JavaScript too. Clients that prefer JSON
        get links."""
        if prefers_json(request):
            return JSONResponse(_index(request, card.name), headers={"Vary": VARY})
        return page_response(request)

    @app.get("/ping", include_in_schema=False)  # of Amazon SageMaker
    @app.get("/healthz", summary="Is the service up?", response_model=schemas.Health)
    async def health() -> Response:
        return JSONResponse({"status": "ok", "model": card.name})

    @app.get("/model", summary="The model card")
    async def model_card() -> dict[str, Any]:
        return card.content

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        exposition = service.metrics.exposition()
        if exposition is None:
            raise NotFound("This deployment has no /metrics: CloudWatch has its metrics.")
        content, media_type = exposition
        return Response(content, headers={"Content-Type": media_type})

    @app.get("/docs", include_in_schema=False)
    async def show_docs(request: Request) -> Response:
        return docs.docs_response(request, app.openapi())

    @app.get("/problems", include_in_schema=False)
    async def show_problems(request: Request) -> Response:
        return docs.problems_response(request)

    app.mount("/page", _Assets(directory=STATIC))


def _index(request: Request, model: str) -> dict[str, str]:
    """The paths include that of a gateway."""
    root = request.scope.get("root_path", "")
    return {
        "name": "Image classifier",
        "model": model,
        "docs": f"{root}/docs",
        "openapi": f"{root}/openapi.json",
    }


def _problems(descriptions: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": text, "content": {PROBLEM_TYPE: {"schema": schema}}}
        for status, text in sorted(descriptions.items())
    }
