"""Results and errors -> HTTP responses: JSON for programs, the page for a browser's form."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from classifier.api import problems
from classifier.api.multipart import UploadError
from classifier.api.pages.home import HEADERS as PAGE_HEADERS
from classifier.api.pages.home import render
from classifier.api.problems import (
    JSONResponse,
    ParameterError,
    ProblemResponse,
    StoreError,
    TooSlow,
)
from classifier.classifier import Classification
from classifier.images.read import ImageError
from classifier.server.pool import Busy
from classifier.telemetry.metrics import Metrics
from classifier.telemetry.request import CLIENT_GONE

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
    if _wants_page(request):
        status = results[failed[0]]["status"] if failed else 200
        headers = {} if failed else {"Server-Timing": _server_timing(outcomes)}
        timed = [_timed(*each) for each in zip(results, outcomes, strict=True)]
        return page(request, timed, status, headers)
    if failed and len(results) > 1:
        first = results[failed[0]]
        detail = f"Image {failed[0] + 1} of {len(results)}: {first['detail']}"
        return _problem(request, problems.problem(first["status"], detail), results=results)
    if failed:
        return _problem(request, results[0])
    headers = {"Server-Timing": _server_timing(outcomes)}
    return JSONResponse(results[0] if len(results) == 1 else results, headers=headers)


def _timed(result: dict[str, Any], outcome: Classification | ImageError) -> dict[str, Any]:
    if isinstance(outcome, ImageError):
        return result
    times = {"decode_seconds": outcome.decode_seconds, "infer_seconds": outcome.infer_seconds}
    return {**result, **times}


def _server_timing(outcomes: Sequence[Classification | ImageError]) -> str:
    """Durations in milliseconds, summed over the images (W3C Server Timing)."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Classification)]
    decode = sum(each.decode_seconds for each in done)
    infer = sum(each.infer_seconds for each in done)
    return f"decode;dur={decode * 1e3:.2f}, infer;dur={infer * 1e3:.2f}"


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def page(
    request: Request,
    results: Sequence[Mapping[str, Any]],
    status: int = 200,
    headers: Mapping[str, str] = {},
) -> HTMLResponse:
    """The page with `results` in it."""
    base = request.scope.get("root_path", "")
    content = render(results, base=base, address=str(request.base_url))
    return HTMLResponse(content, status, {**PAGE_HEADERS, "Vary": "Accept", **headers})


def _problem(
    request: Request,
    problem: dict[str, Any],
    *,
    results: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] = {},
) -> Response:
    if _wants_page(request):
        return page(request, results or [problem], problem["status"], headers)
    content = problem if results is None else {**problem, "results": results}
    return ProblemResponse(content, dict(headers))


def error(  # noqa: PLR0911 - a line for each kind
    request: Request, error: Exception, metrics: Metrics
) -> Response:
    """What went wrong, as a problem; it is counted. A defect's status is 500."""
    match error:
        case UploadError():
            metrics.failed(f"Upload{error.status.value}")
            return _problem(request, problems.problem_of(error))
        case StoreError():
            metrics.failed("Store")
            _log.error("%s", error)
            return _problem(request, problems.problem_of(error))
        case ParameterError():
            return _problem(request, problems.problem(422, str(error)))
        case Busy():
            metrics.failed("Busy")
            detail = f"{error}: the service is busy. Try again in a second."
            return _problem(request, problems.problem(503, detail), headers={"Retry-After": "1"})
        case TooSlow():
            metrics.failed("TooSlow")
            # What is still to come is not waited for.
            headers = {"Connection": "close"}
            return _problem(request, problems.problem(408, str(error)), headers=headers)
        case HTTPException():
            return _http_problem(request, error)
        case ClientDisconnect():
            return Response(status_code=CLIENT_GONE)  # nobody reads it
        case _:
            metrics.failed(type(error).__name__)
            detail = "The service failed to answer; the error is in its log. Try again later."
            return _problem(request, problems.problem(500, detail))


def _http_problem(request: Request, error: HTTPException) -> Response:
    path = request.url.path
    detail = {
        "Not Found": f"There is nothing at {path}. POST an image to /, or see /docs.",
        "Method Not Allowed": f"{request.method} is not possible at {path}. See /docs.",
    }.get(str(error.detail), str(error.detail))
    problem = problems.problem(error.status_code, detail)
    return _problem(request, problem, headers=dict(error.headers or {}))
