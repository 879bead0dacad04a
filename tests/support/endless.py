"""Endless requests, which try to fill the server's memory."""

from dataclasses import dataclass
from typing import Final

from tests.support import raw

FLOOD_BYTES: Final = 400 * 2**20
"""More than any system buffers: if a client can send as much, the server has read it."""


@dataclass(frozen=True)
class Endless:
    """`start`, then `chunk` repeatedly; `statuses` are the expected ones."""

    name: str
    start: bytes
    chunk: bytes
    statuses: tuple[int, ...]

    def __str__(self) -> str:
        return self.name


def _body(
    name: str, content_type: str, content: bytes, *statuses: int, start: bytes = b""
) -> Endless:
    head = raw.post(content_type, "Transfer-Encoding: chunked")
    return Endless(name, head + (_chunk(start) if start else b""), _chunk(content), statuses)


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


_FORM: Final = "multipart/form-data; boundary=b"
_PART: Final = b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n'
_DATA: Final = b"x" * 65536

HEADERS: Final = Endless(
    "headers",
    b"GET / HTTP/1.1\r\nHost: service\r\n",
    b"X-Header: " + b"x" * 8000 + b"\r\n",
    (431,),
)

BODIES: Final = [
    _body("an image", "image/jpeg", _DATA, 413),
    _body("parts", _FORM, _PART * 1000, 400),
    _body("a field", _FORM, _DATA, 413, start=_PART[:-3]),
    _body("a part's header", _FORM, _DATA, 400, 413, start=b"--b\r\nContent-Disposition: "),
    _body("a text", "text/html", _DATA, 415),
]
