"""multipart/form-data (RFC 7578), parsed while it arrives.

Declined: Starlette's form parser, which writes parts over 1 MiB to temporary files; a read-only
container has none.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from classifier.api.bodies.limits import FRAMING_BYTES, Limits
from classifier.api.bodies.preamble import Preamble
from classifier.errors import MalformedMultipart, NoImage, TooManyImages, printable

if TYPE_CHECKING:
    from io import BytesIO

    from python_multipart.multipart import MultipartCallbacks

    from classifier.api.bodies.base64_text import Base64Decoder
    from classifier.server.body import BodyStream

_FIELDS: Final = ("file", "file[]")
"""axios and PHP write the second for a list."""

_OTHER_FIELDS: Final = 64
"""Parts of a form beside its images"""

_EXTENDED_FILENAME: Final = rb"(?i);\s*filename\*\s*=\s*([^;\s]+)"
"""A file name as in RFC 5987. Some clients send it although RFC 7578 forbids it, and
python-multipart ignores it. Compiled when it is used, for a shorter cold start."""

_IDENTITY_ENCODINGS: Final = (b"", b"binary", b"8bit", b"7bit")


async def read_form(
    chunks: AsyncIterator[bytes], body: "BodyStream", boundary: bytes, limits: Limits, declared: int
) -> list[bytes]:
    """The images in the fields `file`, or else in the only field with a file. The body has about
    `declared` bytes, 0 if unknown.

    Raises `MalformedMultipart`, `UploadTooLarge`, `TooManyImages` or `NoImage`.
    """
    form = _Form(body, limits, declared)
    preamble = Preamble(boundary)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            if received > limits.bytes + FRAMING_BYTES:
                raise limits.too_large()
            parser.write(chunk if preamble.skipped else preamble.skip(chunk))
    except FormParserError as error:
        raise MalformedMultipart(str(error)) from None
    return form.images()


class _Part:
    def __init__(self) -> None:
        self.name = ""
        self.filename: str | None = None
        self.encoding = b""
        self.buffer: BytesIO | None = None
        """None if the part is no image"""
        self.write: Callable[[memoryview], object] | None = None
        self.decoder: Base64Decoder | None = None


class _Form:
    """The parts that are images, from the callbacks of the multipart parser."""

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
        self._files: list[_Part] = []
        self._other_files: list[_Part] = []
        """With a file name, in fields of other names; the first has a buffer."""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._extend_header_name,
            "on_header_value": self._extend_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._extend_part,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def images(self) -> list[bytes]:
        if not self._complete:
            raise MalformedMultipart("it ends before its closing boundary")
        files = self._files
        if not files and len(self._other_files) == 1:
            files = self._other_files
        if not files:
            found = ", ".join(sorted(self._other_names)) or "none"
            raise NoImage(f"The form has no field 'file' (its fields: {found}).")
        return [_content(part, alone=len(files) == 1) for part in files]

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
        name = self._header_name.lower()
        if name == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._part.name = options.get(b"name", b"").decode(errors="replace")
            if b"filename" in options:
                self._part.filename = options[b"filename"].decode(errors="replace")
            elif extended := re.search(_EXTENDED_FILENAME, self._header_value):
                self._part.filename = extended[1].decode(errors="replace")
        elif name == b"content-transfer-encoding":
            self._part.encoding = self._header_value.strip().lower()
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        part = self._part
        if part.name in _FIELDS:
            if not self._files:
                self._bytes = 0  # those of other fields are not needed
                self._other_files.clear()
            self._files.append(part)
            if len(self._files) > self._limits.files:
                raise TooManyImages(self._limits.files)
        else:
            self._other_names.add(printable(part.name.encode()))
            if not part.filename or self._files:
                return
            self._other_files.append(part)
            if len(self._other_files) > 1:
                return
        part.buffer = self._body.buffer(self._declared - self._bytes)
        part.write = part.buffer.write
        if part.encoding not in _IDENTITY_ENCODINGS:
            self._decode(part)

    def _decode(self, part: _Part) -> None:
        if part.encoding != b"base64":
            raise MalformedMultipart(
                f"a part has the Content-Transfer-Encoding {printable(part.encoding)}, "
                "which RFC 7578 does not allow"
            )
        from classifier.api.bodies.base64_text import Base64Decoder  # rare

        assert part.buffer
        decoder = part.decoder = Base64Decoder(
            part.buffer.write,
            lambda reason: MalformedMultipart(f"a part is not base64, as it says: {reason}"),
        )
        part.write = lambda text: decoder.feed(bytes(text))

    def _extend_part(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.write is None:
            return
        self._bytes += end - start
        if self._bytes > self._limits.bytes:
            raise self._limits.too_large()
        part.write(memoryview(data)[start:end])

    def _end_part(self) -> None:
        if self._part.decoder:
            self._part.decoder.finish()

    def _end(self) -> None:
        self._complete = True


def _content(part: _Part, *, alone: bool) -> bytes:
    """Raises `NoImage` if the only image is empty. One of several gets its own problem later,
    beside the results of the others."""
    assert part.buffer
    if not part.buffer.tell() and alone:
        raise NoImage(
            "The field 'file' is empty: no file was chosen, or it has 0 bytes. "
            "Choose an image and send the form again.",
            how=False,
        )
    part.buffer.truncate()
    content = part.buffer.getvalue()
    if part.filename is None and content and content.isascii():
        raise NoImage(
            "The field 'file' holds text, not a file. With curl, write an @ before the path: "
            "--form file=@photo.jpg",
            how=False,
        )
    return content
