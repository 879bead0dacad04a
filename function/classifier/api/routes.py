"""Every route, and its documentation."""

import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Query, Request, Security
from fastapi.params import Depends as DependsParam
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from classifier.api import openapi, schemas
from classifier.api.auth import check_key
from classifier.api.classify import ClassifyEndpoint
from classifier.api.negotiation import VARY, prefers_json
from classifier.api.openapi import IMAGES, SERVICE
from classifier.api.pages import docs, problems
from classifier.api.pages.home import STATIC
from classifier.api.responses import JSONResponse, page_response
from classifier.api.service import Service
from classifier.errors import NotFound, NotReady
from classifier.outcome import DEFAULT_TOP_K, MAX_TOP_K

_BEARER: Final = HTTPBearer(
    scheme_name="key", description="The API key of this deployment", auto_error=False
)

AsList = Annotated[bool, Query(alias="list", description="Return a list, even for one image")]

TopK = Annotated[int, Query(ge=1, le=MAX_TOP_K, description="Number of classes in the response")]

MinProbability = Annotated[
    float,
    Query(ge=0, le=1, description="Leave out classes with a lower probability, possibly all"),
]


_EXPLAIN: Final = (
    "Add an `explanation` to the result: how much each part of the image contributes to the first "
    "class"
)

_OK: Final = {"status": "ok"}


class _Assets(StaticFiles):
    """Files of the pages. Browsers revalidate them, so that a new version is used at once."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


class _SwaggerUI(_Assets):
    """The two files of Swagger UI that /docs needs; its package holds more."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path(path) if path in docs.SWAGGER_UI_FILES else ("", None)


def add_routes(app: FastAPI, service: Service, endpoint: ClassifyEndpoint) -> None:
    """Add all routes to `app`."""
    settings, card = service.settings, service.classifier.model.card

    async def require_key(request: Request, _: Annotated[Any, Security(_BEARER)]) -> None:
        check_key(request, settings.api_key)

    protected: Sequence[DependsParam] = [Depends(require_key)] if settings.api_key else []
    has_key, has_bucket = bool(settings.api_key), bool(settings.bucket)

    class ClassifyRoute(APIRoute):
        """The request goes straight to the endpoint: to resolve parameters and dependencies takes
        an eighth of the event loop's time. The function documents them."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            return endpoint.handle

    async def classify(
        top_k: TopK = DEFAULT_TOP_K,
        min_probability: MinProbability = 0,
        explain: Annotated[
            bool, Query(description=_EXPLAIN, include_in_schema=card.explains)
        ] = False,
        as_list: AsList = False,
    ) -> None:
        """Send one image as the body itself, or one or more images as a form, in the field
        `file`, or as JSON, in base64. The response is a result for one image, and a list of
        results, in order, for several. If one of several images fails, the response is its
        problem, with the `results` of all. Hugging Face's clients get a list of labels and
        scores."""

    app.router.add_api_route(
        "/",
        classify,
        methods=["POST"],
        route_class_override=ClassifyRoute,
        summary="Classify one image or several",
        operation_id="classify",
        tags=[IMAGES],
        responses=openapi.classify_responses(bucket=has_bucket, key=has_key),
        dependencies=protected,
        openapi_extra={"requestBody": openapi.classify_body(bucket=has_bucket)},
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
        summary="Get a URL for an image that is too large for a request",
        operation_id="offer_upload",
        tags=[IMAGES],
        response_model=schemas.Upload,
        response_description="A presigned POST",
        include_in_schema=has_bucket,
        responses=openapi.upload_responses(key=has_key),
        dependencies=protected,
    )
    async def offer_upload(request: Request) -> Response:
        """POST the image there as a form: the `fields`, a `Content-Type` that starts with
        `image/`, and last the `file`. Then POST `{"key": ...}` to `/`."""
        if not has_bucket:
            raise NotFound("This deployment accepts no uploads: BUCKET is not set.")
        service.pool.ensure_capacity()
        job = service.pool.submit(lambda: service.store.offer_upload())  # noqa: PLW0108 - lazily
        (offer,) = await service.pool.gather([job], request)
        return JSONResponse(asdict(offer))

    @app.get(
        "/",
        summary="Show the page",
        operation_id="show_page",
        tags=[SERVICE],
        response_class=HTMLResponse,
        response_description="HTML, or JSON for clients that prefer it",
        responses=openapi.index_responses(),
    )
    async def show_page(request: Request) -> Response:
        """A form to upload images, which also works without JavaScript. Clients that prefer JSON
        get links."""
        if prefers_json(request):
            return JSONResponse(_index(request, card.name), headers={"Vary": VARY})
        return page_response(request)

    @app.get("/health", include_in_schema=False)
    @app.get("/ping", include_in_schema=False)  # of Amazon SageMaker
    @app.get(
        "/healthz",
        summary="Check that the service is up",
        operation_id="health",
        tags=[SERVICE],
        response_model=schemas.Health,
        response_description="The service is up",
    )
    async def health() -> Response:
        """For load balancers and monitors. Needs no API key."""
        return JSONResponse({"status": "ok", "model": card.name})

    @app.get(
        "/livez",
        summary="Check that the process responds",
        operation_id="live",
        tags=[SERVICE],
        response_model=schemas.Status,
        response_description="The process responds",
    )
    async def live() -> Response:
        """For a liveness probe: restart the container if this fails. Needs no API key."""
        return JSONResponse(_OK)

    @app.get(
        "/readyz",
        summary="Check that the service should get requests",
        operation_id="ready",
        tags=[SERVICE],
        response_model=schemas.Status,
        response_description="Send requests",
        responses=openapi.problem_responses([NotReady]),
    )
    async def ready() -> Response:
        """For a readiness probe or a load balancer: send no requests while this fails, because the
        service is shutting down, or its queue has been full for 3 seconds. Needs no API key."""
        service.readiness.check()
        return JSONResponse(_OK)

    @app.get(
        "/model",
        summary="Get the model card",
        operation_id="model_card",
        tags=[SERVICE],
        response_description="The model card",
    )
    async def model_card() -> dict[str, Any]:
        """The model's source, licence, accuracy and limits."""
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
        return docs.docs_response(request)

    @app.get("/problems", include_in_schema=False)
    async def show_problems(request: Request) -> Response:
        return problems.problems_response(request)

    app.mount("/page", _Assets(directory=STATIC))
    if folder := docs.swagger_ui_folder():
        app.mount("/docs/swagger-ui", _SwaggerUI(directory=folder))


def _index(request: Request, model: str) -> dict[str, str]:
    """A `schemas.Index`. The paths include that of a gateway."""
    root = request.scope.get("root_path", "")
    return {
        "name": "Image classifier",
        "model": model,
        "docs": f"{root}/docs",
        "openapi": f"{root}/openapi.json",
    }
