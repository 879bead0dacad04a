"""Errors -> RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any

from classifier.images import ImageError, TooManyPixels, UnsupportedFormat
from classifier.uploads import UploadError

CONTENT_TYPE = "application/problem+json"


def problem(status: int, detail: str) -> dict[str, Any]:
    """The members of a problem without a type of its own (RFC 9457, 4.2.1)."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def problem_of(error: ImageError | UploadError) -> dict[str, Any]:
    """The problem that `error` is to the person who sent the image."""
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
