"""Bodies with a Content-Encoding, decoded while they arrive (RFC 9110, 8.4)."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Self

from classifier.api.bodies.limits import Limits
from classifier.errors import MalformedEncoding, UnsupportedEncoding, printable

if TYPE_CHECKING:
    from classifier.server.body import BodyStream

_GZIP: Final = 16 + zlib.MAX_WBITS

_WINDOW_BITS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
"""What `zlib.decompressobj` takes for each coding; "deflate" is the format of zlib."""

_PIECE_BYTES: Final = 64 * 1024
"""Fed and returned at once: a small body can decode to a thousand times its size."""

_PIECES_PER_TURN: Final = 8
"""Then other requests get the event loop, which 0.5 MiB take for 1 to 3 ms."""


def decode(codings: Sequence[str], body: "BodyStream", limits: Limits) -> AsyncIterator[bytes]:
    """The chunks of `body` without its coding. `codings` are the values of the header fields.
    Raises `UnsupportedEncoding`; the iterator raises `MalformedEncoding` and `UploadTooLarge`."""
    names = [name.strip().lower() for value in codings for name in value.split(",")]
    applied = [name for name in names if name not in ("", "identity")]
    if not applied:
        return body
    if len(applied) > 1 or applied[0] not in _WINDOW_BITS:
        raise UnsupportedEncoding(printable(", ".join(applied).encode()))
    return _Inflated(body, applied[0], limits)


class _Inflated:
    """Counts the decoded bytes against the memory budget, in place of the encoded ones."""

    def __init__(self, body: "BodyStream", coding: str, limits: Limits) -> None:
        self._body = body
        self._coding = coding
        self._limits = limits
        self._decoder = zlib.decompressobj(_WINDOW_BITS[coding])
        self._pieces: Iterator[bytes] = iter(())
        self._received = 0
        self._decoded = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            for piece in self._pieces:
                self._decoded += 1
                if self._decoded % _PIECES_PER_TURN == 0:
                    await asyncio.sleep(0)
                self._body.take(len(piece))
                return piece
            try:
                chunk = await anext(self._body)
            except StopAsyncIteration:
                if self._received and not self._decoder.eof:
                    raise self._malformed("it ends early") from None
                raise
            self._body.give_back(len(chunk))
            self._received += len(chunk)
            if self._received > self._limits.json_bytes:
                # A header of gzip may be endless, and decodes to nothing.
                raise self._limits.too_large()
            self._pieces = self._inflate(chunk)

    def _inflate(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), _PIECE_BYTES):
            encoded = chunk[start : start + _PIECE_BYTES]
            while True:
                if self._decoder.eof and encoded:
                    raise self._malformed("there are bytes behind its end")
                try:
                    piece = self._decoder.decompress(encoded, _PIECE_BYTES)
                except zlib.error as error:
                    raise self._malformed(str(error)) from None
                encoded = self._decoder.unconsumed_tail or self._decoder.unused_data
                if piece:
                    yield piece
                if not encoded:  # the checksum behind the last piece is read with it or later
                    break

    def _malformed(self, reason: str) -> MalformedEncoding:
        return MalformedEncoding(self._coding, reason)
