"""Every refusal of the service: its status, headers, problem type and message.

The message tells the client what is wrong and what to do. `slug` names the problem type;
docs/problems.md lists all types, with the docstrings of their classes.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, Self

_HOW_TO_SEND: Final = (
    "Send the image as multipart/form-data in the field 'file' "
    "(curl --form file=@photo.jpg), or as the body itself (curl --data-binary @photo.jpg)."
)

_HOW_TO_SEND_JSON: Final = (
    'Send {"image": "<base64>"}, with a list for several images, '
    'or {"inputs": "<base64>", "parameters": {"top_k": 5}}.'
)

_PRINTABLE_LENGTH: Final = 40

_PHRASES: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
"""Those of RFC 9110, which Python has from 3.13 on"""


def phrase(status: HTTPStatus) -> str:
    """The reason phrase of `status`, the same in every version of Python."""
    return _PHRASES.get(status, status.phrase)


def printable(name: bytes) -> str:
    """The beginning of a name from the client, safe to quote in a message."""
    text = name.decode(errors="replace")[:_PRINTABLE_LENGTH]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class ServiceError(Exception):
    """The base of all refusals."""

    status: HTTPStatus
    slug: str
    headers: Mapping[str, str] = {}
    label: ClassVar[str] = ""
    counted: ClassVar[bool] = True
    """Whether the metrics count the error by kind; all are counted by status."""

    @property
    def message(self) -> str:
        """The message for the client."""
        return str(self)

    @property
    def kind(self) -> str:
        """The label of this error in the metrics: the name of its class, if it has no other."""
        return self.label or type(self).__name__

    def problem(self) -> dict[str, Any]:
        """The members of the problem details (RFC 9457). The reference `type` is the same in every
        deployment."""
        return {
            "type": f"/problems#{self.slug}",
            "title": phrase(self.status),
            "status": self.status.value,
            "detail": self.message,
        }


class InternalError(ServiceError):
    """The service failed; its log has the details."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    slug = "internal-error"
    label = "Internal"

    def __init__(self) -> None:
        super().__init__("The service failed; its log has the details. Try again later.")


# Images


class ImageError(ServiceError, ValueError):
    """An image that cannot be classified. The classifier counts it."""

    counted = False


class UnsupportedFormat(ImageError):
    """The file is not an image of an accepted format."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-format"


class UnreadableImage(ImageError):
    """The image is damaged, cut off or empty."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "unreadable-image"


class TooManyPixels(ImageError):
    """The image has more pixels than the service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "too-many-pixels"


class TooMuchMemory(TooManyPixels):
    """Decoding the image would take too much memory."""

    slug = "too-much-memory"


class TooSlowToDecode(TooManyPixels):
    """Decoding the image would take too long."""

    slug = "too-slow-to-decode"


class UnreadableFile(ImageError):
    """The file cannot be read from the disk (`python -m classifier` only)."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "unreadable-file"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file cannot be read: {reason}.")


class NumberedImageError(ImageError):
    """The error of one of several images; the type is that of the error."""

    def __init__(self, error: ServiceError, number: int, count: int) -> None:
        super().__init__(f"Image {number} of {count}: {error.message}")
        self.status, self.slug, self.headers = error.status, error.slug, error.headers


# Uploads


class UploadError(ServiceError, ValueError):
    """A body without an image that the service accepts."""

    @property
    def kind(self) -> str:
        """The status is part of the label."""
        return f"Upload{self.status.value}"


class MalformedMultipart(UploadError):
    """The body is not valid multipart/form-data."""

    status = HTTPStatus.BAD_REQUEST
    slug = "malformed-multipart"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The multipart body cannot be read: {reason}. Let your HTTP client build the form "
            "and set the Content-Type header, boundary included."
        )


class MalformedEncoding(UploadError):
    """The body cannot be decoded with its Content-Encoding."""

    status = HTTPStatus.BAD_REQUEST
    slug = "malformed-encoding"

    def __init__(self, coding: str, reason: str) -> None:
        super().__init__(
            f"The body cannot be decoded as {coding}, its Content-Encoding: {reason}. "
            "Photos are compressed already: send them without the header."
        )


class MalformedJson(UploadError):
    """The body is not valid JSON."""

    status = HTTPStatus.BAD_REQUEST
    slug = "malformed-json"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The JSON body cannot be read: {reason}. {_HOW_TO_SEND_JSON}")


class UploadTooLarge(UploadError):
    """The request holds more bytes than the service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "upload-too-large"


class TooManyImages(UploadError):
    """The request holds more images than the service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "too-many-images"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The request holds more than {limit} images. Send them in several requests."
        )


class UnsupportedBody(UploadError):
    """The content type of the body cannot hold an image."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-body"

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"A body with the content type {content_type or 'none'} cannot be read. {_HOW_TO_SEND}"
        )


class UnsupportedEncoding(UploadError):
    """The Content-Encoding of the body is not supported."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-encoding"

    def __init__(self, codings: str) -> None:
        super().__init__(
            f"The Content-Encoding {codings} is not supported. Send the body without the header, "
            "or compress it with gzip or deflate. Photos are compressed already."
        )
        self.headers = {"Accept-Encoding": "gzip, deflate, identity"}


class NoImage(UploadError):
    """The request holds no image: no body, no field named file, or no file in it."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "no-image"

    def __init__(self, message: str, *, how: bool = True) -> None:
        """`how`: whether the message goes on with how to send an image."""
        super().__init__(f"{message} {_HOW_TO_SEND}" if how else message)


class InvalidJson(UploadError):
    """The JSON body does not have the expected members, or an image is not valid base64."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-json"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The JSON body cannot be used. {reason} {_HOW_TO_SEND_JSON}")


class InvalidKey(UploadError):
    """The JSON body has no key of an upload."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-key"


# Objects in the bucket


class KeyNotOffered(UploadError):
    """POST /uploads did not return this key."""

    status = HTTPStatus.FORBIDDEN
    slug = "key-not-offered"


class ObjectNotFound(UploadError):
    """The bucket has no object with this key."""

    status = HTTPStatus.NOT_FOUND
    slug = "object-not-found"


class ObjectUnreadable(UploadError):
    """The object in the bucket is archived, or the service may not use its encryption key."""

    status = HTTPStatus.FORBIDDEN
    slug = "object-unreadable"

    @property
    def message(self) -> str:
        """The operator finds the details in the log."""
        return "The object is archived, or the service may not use its encryption key."


class ObjectTooLarge(UploadError):
    """The object in the bucket is larger than the service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "object-too-large"


class StoreError(ServiceError):
    """The bucket did not respond."""

    status = HTTPStatus.BAD_GATEWAY
    slug = "store-unavailable"
    label = "Store"

    @property
    def message(self) -> str:
        """The operator finds the details in the log."""
        return "The image store does not respond. Try again later."


# Load and time

RETRY_SECONDS: Final = 1
"""The value of `Retry-After` when the service is busy"""

_BUSY: Final = {"Retry-After": str(RETRY_SECONDS), "Connection": "close"}
"""The rest of a refused body is not waited for."""


class QueueFull(ServiceError):
    """The queue for images is full."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "queue-full"
    label = "Busy"

    def __init__(self) -> None:
        super().__init__("The queue is full. Retry in a second.")
        self.headers = _BUSY


class TooManyUploads(ServiceError):
    """The uploads in progress fill the memory for request bodies."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "too-many-uploads"
    label = "Busy"

    def __init__(self) -> None:
        super().__init__("Too many uploads are in progress. Retry in a second.")
        self.headers = _BUSY


class NotReady(ServiceError):
    """`GET /readyz`: the service is shutting down, or its queue has been full for 3 seconds."""

    counted = False
    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "not-ready"
    headers: Mapping[str, str] = {"Retry-After": str(RETRY_SECONDS)}


class BodyTimeout(ServiceError):
    """The body paused for too long, or arrived too slowly."""

    status = HTTPStatus.REQUEST_TIMEOUT
    slug = "body-timeout"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"Connection": "close"}  # the rest of the body is not waited for

    @classmethod
    def pause(cls, seconds: float) -> Self:
        """Nothing has arrived for `seconds`."""
        return cls(f"No more of the body arrived for {seconds:g} seconds. Retry.")

    @classmethod
    def rate(cls, limit: int, seconds: float) -> Self:
        """The mean rate over `seconds` was below `limit`, in bytes per second."""
        return cls(
            f"The body arrived too slowly: at less than {limit:,} bytes per second over "
            f"{seconds:g} seconds. Send a smaller image, or retry over a faster connection."
        )


# Requests


class Unauthorized(ServiceError):
    """The API key is missing or wrong."""

    counted = False
    status = HTTPStatus.UNAUTHORIZED
    slug = "unauthorized"

    def __init__(self, challenge: str) -> None:
        super().__init__(
            "An API key is required. Send it as the header Authorization: Bearer KEY, "
            "or in a browser as the password, with any user name."
        )
        self.headers = {"WWW-Authenticate": challenge}


class CrossOriginRefused(ServiceError):
    """The page's origin, or the method of its request, is not allowed (CORS)."""

    counted = False
    status = HTTPStatus.FORBIDDEN
    slug = "cross-origin-refused"


class InvalidParameter(ServiceError, ValueError):
    """A query parameter is invalid."""

    counted = False
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-parameter"


class InvalidEvent(ServiceError, ValueError):
    """The event from the gateway is not a valid HTTP request."""

    status = HTTPStatus.BAD_REQUEST
    slug = "invalid-event"


class NotFound(ServiceError):
    """The path does not exist."""

    counted = False
    status = HTTPStatus.NOT_FOUND
    slug = "not-found"


class MethodNotAllowed(ServiceError):
    """The path does not support this method."""

    counted = False
    status = HTTPStatus.METHOD_NOT_ALLOWED
    slug = "method-not-allowed"

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not supported at {path}. See /docs.")
        self.headers = {"Allow": ", ".join(allowed)}


# HTTP


class MalformedRequest(ServiceError):
    """The request is not valid HTTP/1.1; the server cannot tell where it ends."""

    status = HTTPStatus.BAD_REQUEST
    slug = "malformed-request"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The request is not valid HTTP/1.1: {reason}.")


class UnsupportedMethod(ServiceError):
    """No path supports this method."""

    status = HTTPStatus.NOT_IMPLEMENTED
    slug = "unsupported-method"

    def __init__(self) -> None:
        super().__init__("The method of the request is not supported. See /docs.")


class UnsupportedTransferCoding(ServiceError):
    """The body has a Transfer-Encoding other than chunked."""

    status = HTTPStatus.NOT_IMPLEMENTED
    slug = "unsupported-transfer-coding"

    def __init__(self) -> None:
        super().__init__("The only supported Transfer-Encoding is chunked.")


class UnsupportedVersion(ServiceError):
    """The HTTP version of the request is neither 1.0 nor 1.1."""

    status = HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    slug = "unsupported-http-version"

    def __init__(self, version: str) -> None:
        super().__init__(f"HTTP/{version} is not supported. Use HTTP/1.1.")


class HeadTooLarge(ServiceError):
    """The request line and the headers, or the trailers of a body, are too long."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    slug = "head-too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The request line and the headers are longer than {limit} bytes. Send fewer or "
            "shorter headers."
        )


class HeadTimeout(ServiceError):
    """The request line and the headers did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    slug = "head-timeout"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The headers did not arrive within {seconds} seconds. Retry.")
