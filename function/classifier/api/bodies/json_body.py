"""A JSON body: images in base64, or the key of an object in the bucket.

The base64 is decoded while it arrives, so that an image is held once; `json` alone would hold the
text, the string and the image. Declined: ijson, which parses strings whole, too.
"""

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final

from classifier.api.bodies.base64_text import Base64Decoder
from classifier.api.bodies.limits import Limits
from classifier.api.bodies.upload import Upload
from classifier.errors import InvalidJson, InvalidKey, MalformedJson, NoImage, TooManyImages

if TYPE_CHECKING:
    from io import BytesIO

    from classifier.server.body import BodyStream

_IMAGES: Final = ("image", "inputs")
"""Members of the object whose strings, and lists of strings, are images"""

_REST_BYTES: Final = 16 * 1024
"""The body without its images: parameters. To scan it takes up to 8 ms."""

_MAX_DEPTH: Final = 32

_LIST_DEPTH: Final = 2
"""Of the strings in a list of images"""

_ESCAPE_BYTES: Final = len(rb"\u002B")

_TOKEN: Final = re.compile(rb'[][{}",:]')

_STRING_TOKEN: Final = re.compile(rb'["\\]')

_QUOTE, _BACKSLASH, _COMMA = b'"\\,'

_OPENING, _CLOSING = b"{[", b"}]"


async def read_json(
    chunks: AsyncIterator[bytes], body: "BodyStream", limits: Limits, declared: int
) -> Upload:
    """What a JSON body of about `declared` bytes holds. Raises `UploadError`."""
    images = _Images(body, limits, declared)
    scanner = _Scanner(images)
    received = 0
    async for chunk in chunks:
        body.give_back(len(chunk))  # the decoded bytes are counted
        received += len(chunk)
        if received > limits.json_bytes:
            raise limits.too_large()
        scanner.feed(chunk)
    if not received:
        raise NoImage("The body is empty.")
    return _upload(_document(bytes(scanner.rest)), images)


class _Images:
    """The images of a body, within its limits."""

    def __init__(self, body: "BodyStream", limits: Limits, declared: int) -> None:
        self._body = body
        self._limits = limits
        self._declared = declared
        self._bytes = 0
        self._buffers: list[BytesIO] = []

    def add(self) -> Callable[[bytes], object]:
        """A function that appends to a new image. Raises `TooManyImages`."""
        if len(self._buffers) == self._limits.files:
            raise TooManyImages(self._limits.files)
        buffer = self._body.buffer(self._declared * 3 // 4 - self._bytes)
        self._buffers.append(buffer)

        def write(decoded: bytes) -> None:
            self._bytes += len(decoded)
            if self._bytes > self._limits.bytes:
                raise self._limits.too_large()
            self._body.take(len(decoded))
            buffer.write(decoded)

        return write

    def contents(self) -> list[bytes]:
        """Raises `NoImage` if the only image is empty. One of several gets its own problem."""
        if len(self._buffers) == 1 and not self._buffers[0].tell():
            raise NoImage("The JSON body has an empty image.", how=False)
        for buffer in self._buffers:
            buffer.truncate()
        return [buffer.getvalue() for buffer in self._buffers]


class _Scanner:
    """Takes the strings of images out of a JSON text; leaves `""` in their places.

    It need only be right about valid JSON: whether the text is valid, `json` says of the rest,
    which is valid only if the text is.
    """

    def __init__(self, images: _Images) -> None:
        self._images = images
        self.rest = bytearray()
        self._depth = 0
        self._in_list = False
        """Whether the value of the current member is a list"""
        self._member = ""
        self._expects_name = False
        self._name_start: int | None = None
        """Where in `rest` the name of a member begins that is being read"""
        self._in_string = False
        self._escaped = False
        self._image: _ImageString | None = None

    def feed(self, chunk: bytes) -> None:
        """Raises `InvalidJson`, and what `_Images` raises."""
        position = 0
        while position < len(chunk):
            if self._image:
                position = self._feed_image(self._image, chunk, position)
            elif self._in_string:
                position = self._feed_string(chunk, position)
            else:
                position = self._feed_structure(chunk, position)

    def _keep(self, text: bytes) -> None:
        self.rest += text
        if len(self.rest) > _REST_BYTES:
            raise InvalidJson(f"It has more than {_REST_BYTES // 1024} KiB beside its images.")

    def _feed_structure(self, chunk: bytes, position: int) -> int:
        found = _TOKEN.search(chunk, position, position + _REST_BYTES)
        end = found.end() if found else min(len(chunk), position + _REST_BYTES)
        self._keep(chunk[position:end])
        if not found:
            return end
        token = chunk[end - 1]
        if token == _QUOTE:
            self._begin_string()
        elif token in _OPENING:
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise InvalidJson(f"It is nested more than {_MAX_DEPTH} levels deep.")
            if self._depth == 1:
                self._expects_name = token == _OPENING[0]
            elif self._depth == _LIST_DEPTH:
                self._in_list = token == _OPENING[1]
        elif token in _CLOSING:
            self._depth -= 1
        elif self._depth == 1:
            self._expects_name = token == _COMMA
        return end

    def _begin_string(self) -> None:
        if self._depth == 1 and self._expects_name:
            self._name_start = len(self.rest) - 1
        elif self._member in _IMAGES and (
            self._depth == 1 or (self._depth == _LIST_DEPTH and self._in_list)
        ):
            self._image = _ImageString(self._member, self._images.add())
            return
        self._in_string = True

    def _feed_string(self, chunk: bytes, position: int) -> int:
        if self._escaped:
            self._escaped = False
            self._keep(chunk[position : position + 1])
            return position + 1
        found = _STRING_TOKEN.search(chunk, position, position + _REST_BYTES)
        end = found.end() if found else min(len(chunk), position + _REST_BYTES)
        self._keep(chunk[position:end])
        if found and chunk[end - 1] == _BACKSLASH:
            self._escaped = True
        elif found:
            self._end_string()
        return end

    def _end_string(self) -> None:
        self._in_string = False
        if self._name_start is not None:
            try:
                self._member = json.loads(self.rest[self._name_start :].decode(), strict=False)
            except ValueError:
                self._member = ""  # so is the rest
            self._name_start = None

    def _feed_image(self, image: "_ImageString", chunk: bytes, position: int) -> int:
        # An escaped quote is no base64 either way.
        end = chunk.find(_QUOTE, position)
        if end < 0:
            image.feed(chunk[position:])
            return len(chunk)
        image.feed(chunk[position:end])
        image.finish()
        self._image = None
        self._keep(b'"')
        return end + 1


class _ImageString:
    """The base64 in a JSON string. Some libraries escape `/` and `+`, and line breaks are."""

    def __init__(self, member: str, write: Callable[[bytes], object]) -> None:
        self._member = member
        self._decoder = Base64Decoder(write, self._invalid)
        self._held = b""
        """The end of the text, where it may be half an escape"""

    def feed(self, text: bytes) -> None:
        """Raises `InvalidJson`."""
        if self._held:
            text = self._held + text
            self._held = b""
        if b"\\" in text:
            last = text.rfind(b"\\")
            if len(text) - last < _ESCAPE_BYTES:
                text, self._held = text[:last], text[last:]
        self._decode(text)

    def finish(self) -> None:
        """The string is complete. Raises `InvalidJson`."""
        text, self._held = self._held, b""
        self._decode(text)
        self._decoder.finish()

    def _decode(self, text: bytes) -> None:
        if b"\\" in text:
            try:
                text = json.loads(b'"%b"' % text, strict=False).encode("ascii")
            except ValueError:
                raise self._invalid("it has other characters") from None
        self._decoder.feed(text)

    def _invalid(self, reason: str) -> InvalidJson:
        return InvalidJson(f"'{self._member}' is not base64: {reason}.")


def _document(rest: bytes) -> Any:
    try:
        return json.loads(rest.decode("utf-8-sig"), object_pairs_hook=_members, strict=False)
    except UnicodeDecodeError:
        raise MalformedJson("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(error.msg[:1].lower() + error.msg[1:]) from None
    except InvalidJson:
        raise
    except ValueError:  # an integer of more digits than Python converts
        raise MalformedJson("it has a number that is too long") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidJson("It has two members of the same name.")
    return members


def _upload(document: Any, images: _Images) -> Upload:
    if not isinstance(document, dict):
        raise InvalidJson("It is not an object.")
    names = [name for name in (*_IMAGES, "key") if name in document]
    if len(names) != 1:
        found = " and ".join(names) or "neither"
        raise InvalidJson(f"It must have either {' or '.join(_IMAGES)}; it has {found}.")
    (name,) = names
    value = document[name]
    if name == "key":
        if not isinstance(value, str):
            raise InvalidKey('The key must be a string: {"key": "uploads/..."}.')
        return Upload([], key=value)
    strings = value if isinstance(value, list) else [value]
    if not strings or not all(isinstance(string, str) for string in strings):
        raise InvalidJson(f"'{name}' is neither a string nor a list of strings.")
    parameters = document.get("parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise InvalidJson("'parameters' is not an object.")
    return Upload(
        images.contents(),
        top_k=_top_k(parameters.get("top_k", document.get("top_k"))),
        function=parameters.get("function_to_apply"),
        labels=name == "inputs",
    )


def _top_k(top_k: Any) -> Any:
    # 3.0 is an integer in JSON Schema, and some languages have no other numbers.
    return int(top_k) if isinstance(top_k, float) and top_k.is_integer() else top_k
