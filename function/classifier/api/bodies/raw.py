"""A body that is an image."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from classifier.api.bodies.limits import Limits
from classifier.errors import NoImage

if TYPE_CHECKING:
    from classifier.server.body import BodyStream

_TEXT_TYPES: Final = (b"application/x-www-form-urlencoded", b"text/plain")
"""`curl --data-binary` and `fetch` with a string send these, unless they are told otherwise."""

_BINARY_TYPES: Final = (
    b"",
    b"application/octet-stream",
    b"binary/octet-stream",
    b"application/x-image",  # of SageMaker's own image classifier
)

_PREFIX_BYTES: Final = 512

_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n"


def is_raw(content_type: bytes) -> bool:
    """Whether a body of this type may be an image. Its bytes decide: they name the format better
    than clients do."""
    return (
        content_type.startswith(b"image/")
        or content_type in _BINARY_TYPES
        or content_type in _TEXT_TYPES
    )


async def read_raw(
    chunks: AsyncIterator[bytes],
    body: "BodyStream",
    limits: Limits,
    declared: int,
    content_type: bytes,
) -> bytes:
    """The whole body. `declared` bytes are expected, 0 if unknown. Raises `UploadTooLarge`, or
    `NoImage` if it is empty or text."""
    buffer = body.buffer(declared)
    async for chunk in chunks:
        buffer.write(chunk)
        if buffer.tell() > limits.bytes:
            raise limits.too_large()
    if not buffer.tell():
        raise NoImage("The body is empty.")
    buffer.truncate()
    content = buffer.getvalue()
    if content_type in _TEXT_TYPES:
        _check_not_text(content)
    return content


def _check_not_text(content: bytes) -> None:
    from classifier.images.encoded_text import text_coding  # rare

    prefix = content[:_PREFIX_BYTES]
    if prefix.translate(None, _PRINTABLE) or text_coding(content):
        return  # the decoder finds out what it is
    if prefix.lstrip().startswith(b"{"):
        raise NoImage(
            "The body is text that looks like JSON. Send JSON with the header "
            "Content-Type: application/json.",
            how=False,
        )
    raise NoImage("The body is text, not an image.")
