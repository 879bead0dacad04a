"""Errors -> RFC 9457 problem details."""

import json
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from classifier.api.multipart import UploadError
from classifier.images.read import ImageError, TooManyPixels, UnsupportedFormat

CONTENT_TYPE: Final = "application/problem+json"

_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class StoreError(Exception):
    """The bucket does not answer as it should: a matter of the deployment, or of the moment."""


class ParameterError(ValueError):
    """A parameter of the query that cannot be used; the message names it."""


class TooSlow(Exception):
    """A body that did not arrive in time."""


class JSONResponse(Response):
    """JSON in UTF-8 that ends its line, so that a shell's prompt comes on the next one."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return _to_json(content).encode() + b"\n"


class ProblemResponse(JSONResponse):
    """A problem, with the status that it has."""

    media_type = CONTENT_TYPE

    def __init__(self, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(content, content["status"], headers)


def problem(status: int, detail: str) -> dict[str, Any]:
    """The members of a problem without a type of its own (RFC 9457, 4.2.1)."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def problem_of(error: ImageError | UploadError | StoreError) -> dict[str, Any]:
    """The problem that `error` is to the person who sent the image."""
    if isinstance(error, StoreError):
        # Its text is for the operator, who finds it in the log.
        return problem(502, "The image store does not answer. Try again later.")
    return problem(_status(error), str(error))


def _status(error: ImageError | UploadError) -> HTTPStatus:
    match error:
        case UploadError(status=status):
            return status
        case TooManyPixels():
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case UnsupportedFormat():
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        case _:
            return HTTPStatus.UNPROCESSABLE_ENTITY
