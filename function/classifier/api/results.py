"""The outcomes of a request's images -> its response."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from classifier.api.hugging_face import is_client, labels
from classifier.api.negotiation import VARY, wants_page
from classifier.api.problems import error_response
from classifier.api.responses import JSONResponse, page_response
from classifier.classifier import Classification
from classifier.errors import NumberedImageError, ServiceError
from classifier.outcome import Outcome, result_json


def results_response(  # noqa: PLR0913
    request: Request,
    outcomes: Sequence[Outcome],
    model: str,
    *,
    queue: float = 0.0,
    as_list: bool = False,
    as_labels: bool = False,
    explains: bool = False,
) -> Response:
    """One result, or several in order; if an image failed, the first failure's problem. The page
    where a browser sent its form.

    `queue`: seconds of waiting until the work started. `as_list`: a list, also of one result.
    `as_labels`: each result in the form of Hugging Face, which their clients get in any case.
    `explains`: the page offers explanations, which the model has."""
    failures = [
        (number, outcome)
        for number, outcome in enumerate(outcomes, start=1)
        if isinstance(outcome, ServiceError)
    ]
    headers = {} if failures else {"Server-Timing": _server_timing(queue, outcomes)}
    if wants_page(request):
        status = failures[0][1].status if failures else 200
        return page_response(
            request, outcomes, model=model, explains=explains, status=status, headers=headers
        )
    if failures and len(outcomes) == 1:
        return error_response(request, failures[0][1])
    if failures:
        results = [result_json(outcome, model) for outcome in outcomes]
        number, error = failures[0]
        numbered = NumberedImageError(error, number, len(outcomes))
        return error_response(request, numbered, results=results)
    as_labels = as_labels or is_client(request)
    values = [
        labels(outcome) if as_labels else result_json(outcome, model)
        for outcome in outcomes
        if isinstance(outcome, Classification)
    ]
    headers["Vary"] = VARY
    return JSONResponse(values if as_list or len(values) > 1 else values[0], headers=headers)


def _server_timing(queue: float, outcomes: Sequence[Outcome]) -> str:
    """Milliseconds, summed over the images (W3C Server Timing)."""
    images = [outcome for outcome in outcomes if isinstance(outcome, Classification)]
    decode = sum(image.decode_seconds for image in images)
    infer = sum(image.infer_seconds for image in images)
    return (
        f"queue;dur={queue * 1e3:.2f}, decode;dur={decode * 1e3:.2f}, infer;dur={infer * 1e3:.2f}"
    )
