"""Results and errors -> HTTP responses: JSON for programs, the page for a browser's form."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response

from classifier import problems
from classifier.classify import Classification
from classifier.images import ImageError
from classifier.metrics import Metrics
from classifier.page import HEADERS as PAGE_HEADERS
from classifier.page import render
from classifier.problems import JSONResponse, ProblemResponse, StoreError
from classifier.uploads import UploadError

_log = logging.getLogger(__name__)


def answer(
    request: Request, outcomes: Sequence[Classification | ImageError], model: str
) -> Response:
    """The results of a request's images: JSON, or the page where a browser sent its form."""
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
    if _wantspage(request):
        return page(request, results, headers=headers)
    return JSONResponse(results[0] if len(results) == 1 else results, headers=headers)


def _server_timing(outcomes: Sequence[Classification | ImageError]) -> str:
    """Durations in milliseconds, summed over the images (W3C Server Timing)."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Classification)]
    decode = sum(each.decode_seconds for each in done)
    infer = sum(each.infer_seconds for each in done)
    return f"decode;dur={decode * 1e3:.2f}, infer;dur={infer * 1e3:.2f}"


def _wantspage(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def page(
    request: Request,
    results: Sequence[Mapping[str, Any]],
    status: int = 200,
    headers: Mapping[str, str] = {},
) -> HTMLResponse:
    """The page with `results` in it."""
    content = render(results, base=request.scope.get("root_path", ""))
    return HTMLResponse(content, status, {**PAGE_HEADERS, "Vary": "Accept", **headers})


def _problem(
    request: Request,
    problem: dict[str, Any],
    *,
    results: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] = {},
) -> Response:
    if _wantspage(request):
        return page(request, results or [problem], problem["status"], headers)
    content = problem if results is None else {**problem, "results": results}
    return ProblemResponse(content, dict(headers))


def add_error_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Answer every error as a problem, and count it."""

    @app.exception_handler(UploadError)
    async def upload_error(request: Request, error: UploadError) -> Response:
        metrics.failed(f"Upload{error.status.value}")
        return _problem(request, problems.problem_of(error))

    @app.exception_handler(StoreError)
    async def store_error(request: Request, error: StoreError) -> Response:
        metrics.failed("Store")
        _log.error("%s", error)
        return _problem(request, problems.problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        detail = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()
        )
        return _problem(request, problems.problem(422, f"{detail}."))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        detail = {
            "Not Found": f"There is nothing at {path}. POST an image to /, or see /docs.",
            "Method Not Allowed": f"{request.method} is not possible at {path}. See /docs.",
        }.get(str(error.detail), str(error.detail))
        problem = problems.problem(error.status_code, detail)
        return _problem(request, problem, headers=error.headers or {})

    @app.exception_handler(ClientDisconnect)
    async def client_gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        metrics.failed(type(error).__name__)
        detail = "The service failed to answer; the error is in its log. Try again later."
        return _problem(request, problems.problem(500, detail))
