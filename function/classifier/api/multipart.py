"""A request's body -> the images in it: multipart form data, or the bytes themselves.

The body is parsed while it arrives, so that what is too large is refused before it is held, and
nothing is written to disk.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD: Final = "file"

_FRAMING: Final = 64 * 1024
"""Bytes that a body may hold beside its images: boundaries, part headers, other fields."""

_OTHER_FIELDS: Final = 64
"""Parts that a form may have beside its images."""

_HOW: Final = (
    "Send the image as multipart/form-data in the field 'file' "
    "(curl --form file=@photo.jpg), or as the body itself with an image/* content type."
)


class UploadError(ValueError):
    """A body that holds no images this service can take; `status` is the HTTP status of that."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """`bytes` is the largest sum of image bytes in a request, `files` the most images. `way_out`
    tells the sender of too many bytes what else there is."""

    bytes: int
    files: int
    way_out: str = ""


@dataclass
class _Part:
    name: str = ""
    filename: str | None = None
    size: int = 0


async def read_key(headers: Mapping[str, str], body: AsyncIterator[bytes]) -> str | None:
    """The key of the body `{"key": "uploads/..."}`; None, with the body unread, if it is not JSON.

    Raises `UploadError`: 413, 422.
    """
    if parse_options_header(headers.get("content-type"))[0] != b"application/json":
        return None
    content = await _read_raw(body, Limits(bytes=_FRAMING, files=1))
    try:
        key = json.loads(content)["key"]
    except (ValueError, TypeError, KeyError):
        key = None
    if not isinstance(key, str):
        raise UploadError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            'A JSON body must be {"key": "uploads/..."}, with a key from POST /uploads.',
        )
    return key


async def read_uploads(
    headers: Mapping[str, str], body: AsyncIterator[bytes], limits: Limits
) -> list[bytes]:
    """The images of a request, one or more, encoded as they came, in the order of their fields.

    Raises `UploadError`: 400 malformed multipart, 413 too large, 415 not a body that can hold an
    image, 422 without a field `file` or with nothing in it.
    """
    content_type, options = parse_options_header(headers.get("content-type"))
    try:
        declared = int(headers.get("content-length", 0))
    except ValueError:
        declared = 0
    if declared > limits.bytes + _FRAMING:
        raise _too_large(limits)
    if content_type == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise _malformed("the Content-Type header names no boundary")
        return await _read_form(body, boundary, limits)
    if content_type.startswith(b"image/"):
        return [await _read_raw(body, limits)]
    if not content_type and not declared and "transfer-encoding" not in headers:
        raise UploadError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The request has no body. {_HOW}")
    raise UploadError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"A body of the content type {_shown(content_type) or 'none'} cannot be read. {_HOW}",
    )


async def _read_raw(body: AsyncIterator[bytes], limits: Limits) -> bytes:
    chunks, size = [], 0
    async for chunk in body:
        size += len(chunk)
        if size > limits.bytes:
            raise _too_large(limits)
        chunks.append(chunk)
    if not size:
        raise UploadError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The body is empty. {_HOW}")
    return b"".join(chunks)


async def _read_form(body: AsyncIterator[bytes], boundary: bytes, limits: Limits) -> list[bytes]:
    form = _Form(limits)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        received = 0
        async for chunk in body:
            received += len(chunk)
            if received > limits.bytes + _FRAMING:
                raise _too_large(limits)
            parser.write(chunk)
    except FormParserError as error:
        raise _malformed(str(error)) from None
    return form.images()


class _Form:
    """Collects the parts named `file` from the callbacks of the multipart parser."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._part = _Part()
        self._header_name = b""
        self._header_value = b""
        self._bytes = 0
        self._complete = False
        self._parts = 0
        self._other_names: set[str] = set()
        self._files: list[tuple[_Part, list[memoryview]]] = []

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
            raise _malformed("it ends before its closing boundary")
        if not self._files:
            found = ", ".join(sorted(self._other_names)) or "none"
            raise UploadError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"The form has no field 'file' (its fields: {found}). {_HOW}",
            )
        return [_content(part, chunks) for part, chunks in self._files]

    def _begin_part(self) -> None:
        self._part = _Part()
        self._parts += 1
        if self._parts > self._limits.files + _OTHER_FIELDS:
            raise _malformed(f"it has more than {self._limits.files + _OTHER_FIELDS} parts")

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
            self._other_names.add(_shown(self._part.name.encode()))
            return
        self._files.append((self._part, []))
        if len(self._files) > self._limits.files:
            raise UploadError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request holds more than {self._limits.files} images. "
                "Send them in several requests.",
            )

    def _extend_part(self, data: bytes, start: int, end: int) -> None:
        if self._part.name != FIELD:
            return
        self._part.size += end - start
        self._bytes += end - start
        if self._bytes > self._limits.bytes:
            raise _too_large(self._limits)
        self._files[-1][1].append(memoryview(data)[start:end])

    def _end(self) -> None:
        self._complete = True


def _content(part: _Part, chunks: list[memoryview]) -> bytes:
    if not part.size:
        raise UploadError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The field 'file' is empty: no file was chosen, or it has 0 bytes. "
            "Choose an image and send the form again.",
        )
    content = b"".join(chunks)
    if part.filename is None and content.isascii():
        raise UploadError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The field 'file' holds text, not a file. With curl, write an @ before the "
            "path: --form file=@photo.jpg",
        )
    return content


def _shown(name: bytes) -> str:
    """A name from outside, fit to be quoted in a message."""
    text = name.decode(errors="replace")[:40]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _malformed(reason: str) -> UploadError:
    return UploadError(
        HTTPStatus.BAD_REQUEST,
        f"The multipart body cannot be read: {reason}. Let your HTTP client build the form "
        "and set the Content-Type header, boundary included.",
    )


def _too_large(limits: Limits) -> UploadError:
    return UploadError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request holds more than {limits.bytes / 2**20:.4g} MiB of images, the limit. "
        "Send fewer, or make them smaller: the model itself sees only a few hundred pixels a side."
        f"{limits.way_out}",
    )
