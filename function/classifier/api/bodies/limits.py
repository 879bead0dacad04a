"""The limits of a request body."""

from typing import Final, NamedTuple

from starlette.datastructures import Headers

from classifier.errors import UploadTooLarge

FRAMING_BYTES: Final = 64 * 1024
"""Beside the images: boundaries, part headers, other fields"""

JSON_TYPE: Final = "application/json"

_BASE64: Final = 5 / 3
"""Characters of base64 for a byte: 4/3, and a quarter more for line breaks and JSON's escapes"""


class Limits(NamedTuple):
    """The limits of one request: the sum of its image `bytes`, and the number of its `files`.
    `alternative` ends the message of a request with too many bytes."""

    bytes: int
    files: int
    alternative: str = ""

    @property
    def json_bytes(self) -> int:
        """The most bytes of a JSON body, whose images are base64."""
        return int(self.bytes * _BASE64) + FRAMING_BYTES

    def too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"The request holds more than {self.bytes / 2**20:.4g} MiB of images, the limit. "
            "Send fewer or smaller images: the model sees only a few hundred pixels per side."
            f"{self.alternative}"
        )


def declared_size(headers: Headers, limits: Limits) -> int:
    """The bytes of images that the head declares for the body, or 0. Raises `UploadTooLarge`."""
    try:
        declared = int(headers.get("content-length", 0))
    except ValueError:
        declared = 0
    largest = limits.bytes + FRAMING_BYTES
    if declared <= largest:
        return declared
    is_json = headers.get("content-type", "").lower().startswith(JSON_TYPE)
    if not is_json or declared > limits.json_bytes:
        raise limits.too_large()
    return largest
