"""A request body -> its images: multipart/form-data, or the bytes of one image.

The body is parsed while it arrives, so that a body over the limit is refused early. Images are
gathered in `BytesIO`, whose `getvalue` does not copy; to join a list of chunks would hold an image
twice. Nothing is written to disk. Declined: Starlette's form parser, which writes parts over 1 MiB
to temporary files; a read-only container has none.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from classifier.errors import (
    InvalidKey,
    MalformedMultipart,
    NoImage,
    TooManyImages,
    UnsupportedBody,
    UploadTooLarge,
)

if TYPE_CHECKING:
    from io import BytesIO

    from python_multipart.multipart import MultipartCallbacks

    from classifier.server.body import BodyStream

FIELD: Final = "file"

FRAMING_BYTES: Final = 64 * 1024
"""Beside the images: boundaries, part headers, other fields"""

_OTHER_FIELDS: Final = 64
"""Parts of a form beside its images"""


class Limits(NamedTuple):
    """The limits of one request: the sum of its image `bytes`, and the number of its `files`.
    `alternative` ends the message of a request with too many bytes."""

    bytes: int
    files: int
    alternative: str = ""

    def too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"The request holds more than {self.bytes / 2**20:.4g} MiB of images, the limit. "
            "Send fewer or smaller images: the model sees only a few hundred pixels a side."
            f"{self.alternative}"
        )


class _Part:
    def __init__(self) -> None:
        self.name = ""
        self.filename: str | None = None
        self.size = 0


async def read_key(headers: Mapping[str, str], body: "BodyStream") -> str | None:
    """The key in the body `{"key": "uploads/..."}`; None, with the body unread, if it is not JSON.

    Raises `UploadTooLarge`, `NoImage` or `InvalidKey`.
    """
    if parse_options_header(headers.get("content-type"))[0] != b"application/json":
        return None
    content = await _read_raw(body, Limits(bytes=FRAMING_BYTES, files=1))
    try:
        key = json.loads(content)["key"]
    except (ValueError, TypeError, KeyError):
        key = None
    if not isinstance(key, str):
        raise InvalidKey('A JSON body must be {"key": "uploads/..."}, a key from POST /uploads.')
    return key


def declared_size(headers: Mapping[str, str], limits: Limits) -> int:
    """The bytes that the head declares for the body, or 0. Raises `UploadTooLarge`."""
    try:
        declared = int(headers.get("content-length", 0))
    except ValueError:
        declared = 0
    if declared > limits.bytes + FRAMING_BYTES:
        raise limits.too_large()
    return declared


async def read_uploads(
    headers: Mapping[str, str], body: "BodyStream", limits: Limits
) -> list[bytes]:
    """The encoded images of a request, one or more, in the order of their fields.

    Raises `MalformedMultipart`, `UploadTooLarge`, `TooManyImages`, `UnsupportedBody` or `NoImage`.
    """
    declared = declared_size(headers, limits)
    content_type, options = parse_options_header(headers.get("content-type"))
    if content_type == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedMultipart("the Content-Type header names no boundary")
        return await _read_form(body, boundary, limits, declared)
    if content_type.startswith(b"image/"):
        return [await _read_raw(body, limits, declared)]
    if not content_type and not declared and "transfer-encoding" not in headers:
        raise NoImage("The request has no body.")
    raise UnsupportedBody(_printable(content_type))


async def _read_raw(body: "BodyStream", limits: Limits, declared: int = 0) -> bytes:
    content = body.buffer(declared)
    async for chunk in body:
        content.write(chunk)
        if content.tell() > limits.bytes:
            raise limits.too_large()
    if not content.tell():
        raise NoImage("The body is empty.")
    content.truncate()
    return content.getvalue()


async def _read_form(
    body: "BodyStream", boundary: bytes, limits: Limits, declared: int
) -> list[bytes]:
    form = _Form(body, limits, declared)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        received = 0
        async for chunk in body:
            received += len(chunk)
            if received > limits.bytes + FRAMING_BYTES:
                raise limits.too_large()
            parser.write(chunk)
    except FormParserError as error:
        raise MalformedMultipart(str(error)) from None
    return form.images()


class _Form:
    """The parts named `file`, from the callbacks of the multipart parser."""

    def __init__(self, body: "BodyStream", limits: Limits, declared: int) -> None:
        """`declared`: the bytes of the whole body, 0 if unknown."""
        self._body = body
        self._limits = limits
        self._declared = declared
        self._part = _Part()
        self._header_name = b""
        self._header_value = b""
        self._bytes = 0
        self._complete = False
        self._parts = 0
        self._other_names: set[str] = set()
        self._files: list[tuple[_Part, BytesIO]] = []

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._extend_header_name,
            "on_header_value": self._extend_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._extend_part,
            "on_end": self._end,
        }

    def images(self) -> list[bytes]:
        if not self._complete:
            raise MalformedMultipart("it ends before its closing boundary")
        if not self._files:
            found = ", ".join(sorted(self._other_names)) or "none"
            raise NoImage(f"The form has no field 'file' (its fields: {found}).")
        return [_content(part, content) for part, content in self._files]

    def _begin_part(self) -> None:
        self._part = _Part()
        self._parts += 1
        if self._parts > self._limits.files + _OTHER_FIELDS:
            raise MalformedMultipart(f"it has more than {self._limits.files + _OTHER_FIELDS} parts")

    def _extend_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _extend_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._part.name = options.get(b"name", b"").decode(errors="replace")
            if b"filename" in options:
                self._part.filename = options[b"filename"].decode(errors="replace")
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        if self._part.name != FIELD:
            self._other_names.add(_printable(self._part.name.encode()))
            return
        self._files.append((self._part, self._body.buffer(self._declared - self._bytes)))
        if len(self._files) > self._limits.files:
            raise TooManyImages(self._limits.files)

    def _extend_part(self, data: bytes, start: int, end: int) -> None:
        if self._part.name != FIELD:
            return
        self._part.size += end - start
        self._bytes += end - start
        if self._bytes > self._limits.bytes:
            raise self._limits.too_large()
        self._files[-1][1].write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._complete = True


def _content(part: _Part, written: "BytesIO") -> bytes:
    if not part.size:
        raise NoImage(
            "The field 'file' is empty: no file was chosen, or it has 0 bytes. "
            "Choose an image and send the form again.",
            how=False,
        )
    written.truncate()
    content = written.getvalue()
    if part.filename is None and content.isascii():
        raise NoImage(
            "The field 'file' holds text, not a file. With curl, write an @ before the path: "
            "--form file=@photo.jpg",
            how=False,
        )
    return content


def _printable(name: bytes) -> str:
    """A name from the client, safe to quote in a message."""
    text = name.decode(errors="replace")[:40]
    return "".join(letter if letter.isprintable() else "?" for letter in text)
