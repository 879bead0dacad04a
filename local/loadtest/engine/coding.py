"""Bodies with a content coding. Requests ask for none; some servers and proxies ignore that."""

import importlib
import zlib
from typing import Final

from local.loadtest.engine.response import BODY_LIMIT, TOO_LARGE

_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
"""For `zlib.decompressobj`: the format is detected by its header."""


class UndecodableBody(Exception):
    """The message is the kind of failure."""


def decode(body: bytes, codings: str) -> bytes:
    """The body without its content codings; `codings` is the value of Content-Encoding (RFC 9110,
    section 8.4): the last one was applied last. Raises `UndecodableBody`."""
    for coding in reversed(codings.lower().split(",")):
        body = _decode(body, coding.strip())
    return body


def _decode(body: bytes, coding: str) -> bytes:
    if coding in ("", "identity"):
        return body
    try:
        if coding in ("gzip", "x-gzip"):
            return _inflate(body, _GZIP_OR_ZLIB)
        if coding == "deflate":
            return _deflated(body)
        if coding == "br":
            return _from_brotli(body)
        if coding == "zstd":
            return _from_zstd(body)
    except UndecodableBody:
        raise
    except ImportError:  # packages that need not be installed
        raise UndecodableBody(f"content coding {coding[:20]}") from None
    except Exception:  # each package has its own
        raise UndecodableBody(f"invalid {coding}") from None
    raise UndecodableBody(f"content coding {coding[:20]}")


def _deflated(body: bytes) -> bytes:
    """`deflate` is the zlib format, but some servers send it without header (RFC 9110, 8.4.1.2)."""
    try:
        return _inflate(body, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(body, -zlib.MAX_WBITS)


def _inflate(body: bytes, window: int) -> bytes:
    decoder = zlib.decompressobj(window)
    decoded = decoder.decompress(body, BODY_LIMIT + 1)
    _check_size(len(decoded))
    if not decoder.eof:
        raise zlib.error("truncated")
    return decoded


def _from_brotli(body: bytes) -> bytes:
    decoder = importlib.import_module("brotli").Decompressor()
    decoded: bytes = decoder.process(body, output_buffer_limit=BODY_LIMIT + 1)
    _check_size(len(decoded))
    if not decoder.is_finished():
        raise ValueError("truncated")
    return decoded


def _from_zstd(body: bytes) -> bytes:
    zstandard = importlib.import_module("zstandard")
    _check_size(zstandard.frame_content_size(body))  # -1: of an encoder that did not know it
    decoded: bytes = zstandard.ZstdDecompressor().decompress(body, max_output_size=BODY_LIMIT)
    return decoded


def _check_size(size: int) -> None:
    if size > BODY_LIMIT:
        raise UndecodableBody(TOO_LARGE)
